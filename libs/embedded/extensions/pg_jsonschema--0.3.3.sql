-- What runs now must not meet what lies in wait in the schema.
set local search_path = pg_catalog, pg_temp;

-- A schema is compiled once: checked against its draft's rules, its patterns translated, its references resolved. The two functions
-- that match are inlined, so for a schema that is a constant, as in a CHECK, PostgreSQL compiles it when it plans and not for each row.
-- No function has an exception block: those are forbidden in parallel plans.

-- The first and the last draft that knows a keyword; 2020 and no end is the present one.
create function @extschema@._jsonschema_keywords() returns jsonb language sql immutable parallel safe set search_path = '' as $$
  select '{
    "type":[4], "enum":[4], "multipleOf":[4], "maximum":[4], "minimum":[4], "exclusiveMaximum":[4], "exclusiveMinimum":[4],
    "maxLength":[4], "minLength":[4], "pattern":[4], "maxItems":[4], "minItems":[4], "uniqueItems":[4], "maxProperties":[4], "minProperties":[4], "required":[4],
    "items":[4], "properties":[4], "patternProperties":[4], "additionalProperties":[4], "allOf":[4], "anyOf":[4], "oneOf":[4], "not":[4], "dependencies":[4],
    "definitions":[4], "$defs":[4], "$ref":[4], "$schema":[4], "title":[4], "description":[4], "default":[4], "format":[4], "$comment":[4],
    "id":[4,4], "$id":[6], "const":[6], "contains":[6], "propertyNames":[6], "examples":[6],
    "if":[7], "then":[7], "else":[7], "readOnly":[7], "writeOnly":[7], "contentEncoding":[7], "contentMediaType":[7], "additionalItems":[4,2019],
    "$anchor":[2019], "dependentRequired":[2019], "dependentSchemas":[2019], "unevaluatedItems":[2019], "unevaluatedProperties":[2019],
    "maxContains":[2019], "minContains":[2019], "deprecated":[2019], "contentSchema":[2019], "$vocabulary":[2019], "$recursiveRef":[2019,2019], "$recursiveAnchor":[2019,2019],
    "prefixItems":[2020], "$dynamicRef":[2020], "$dynamicAnchor":[2020]
  }'::jsonb
$$;

-- What a schema itself must look like, as a compiled schema: its one reference leads to its root.
create function @extschema@._jsonschema_make_metaschema(draft integer) returns jsonb language sql immutable parallel safe set search_path = '' as $$
  with words as (
    select '{"$ref":"{}"}'::jsonb as a_schema, '{"type":"array","items":{"$ref":"{}"},"minItems":1}'::jsonb as schemas, '{"type":"object","additionalProperties":{"$ref":"{}"}}'::jsonb as schemas_by_name,
      '{"type":"string"}'::jsonb as string, '{"type":"boolean"}'::jsonb as boolean, '{"type":"number"}'::jsonb as number, '{"type":"integer","minimum":0}'::jsonb as count,
      '{"type":"array","items":{"type":"string"},"uniqueItems":true}'::jsonb as strings, '{"enum":["array","boolean","integer","null","number","object","string"]}'::jsonb as a_type
  ), of_keyword as (
    select k.key, case
      when k.key in ('$id', 'id', '$schema', '$ref', '$comment', 'title', 'description', 'format', 'contentEncoding', 'contentMediaType', '$recursiveRef', '$dynamicRef') then string
      when k.key in ('$anchor', '$dynamicAnchor') then '{"type":"string","pattern":"^[A-Za-z_][-A-Za-z0-9._]*$"}'
      when k.key in ('$recursiveAnchor', 'deprecated', 'readOnly', 'writeOnly', 'uniqueItems') then boolean
      when k.key = '$vocabulary' then '{"type":"object"}'
      when k.key = 'examples' then '{"type":"array"}'
      when k.key = 'enum' then case draft when 4 then '{"type":"array","minItems":1}'::jsonb else '{"type":"array"}' end
      when k.key = 'multipleOf' then '{"type":"number","exclusiveMinimum":0}'
      when k.key in ('maximum', 'minimum') then number
      when k.key in ('exclusiveMaximum', 'exclusiveMinimum') then case draft when 4 then boolean else number end
      when k.key in ('maxLength', 'minLength', 'maxItems', 'minItems', 'maxProperties', 'minProperties', 'maxContains', 'minContains') then count
      when k.key = 'pattern' then '{"type":"string","format":"regex"}'
      when k.key = 'required' then case draft when 4 then strings || '{"minItems":1}' else strings end
      when k.key = 'type' then jsonb_build_object('anyOf', jsonb_build_array(a_type, jsonb_build_object('type', 'array', 'items', a_type, 'minItems', 1, 'uniqueItems', true)))
      when k.key in ('allOf', 'anyOf', 'oneOf', 'prefixItems') then schemas
      when k.key = 'items' and draft < 2020 then jsonb_build_object('anyOf', jsonb_build_array(a_schema, schemas))
      when k.key in ('additionalProperties', 'additionalItems') and draft = 4 then jsonb_build_object('anyOf', jsonb_build_array(boolean, a_schema))
      when k.key in ('properties', '$defs', 'definitions', 'dependentSchemas') then schemas_by_name
      when k.key = 'patternProperties' then schemas_by_name || '{"propertyNames":{"format":"regex"}}'
      when k.key = 'dependencies' then jsonb_build_object('type', 'object', 'additionalProperties', jsonb_build_object('anyOf', jsonb_build_array(a_schema, strings)))
      when k.key = 'dependentRequired' then jsonb_build_object('type', 'object', 'additionalProperties', strings)
      when k.key in ('default', 'const') then 'true'
      else a_schema end as rule
    from words, jsonb_each(@extschema@._jsonschema_keywords()) k
    where draft between (k.value ->> 0)::integer and coalesce((k.value ->> 1)::integer, 2020)
  )
  select jsonb_build_object('draft', 7, 'patterns', '{"^[A-Za-z_][-A-Za-z0-9._]*$":"^[A-Za-z_][-A-Za-z0-9._]*$"}'::jsonb, 'tracks', false,
    'root', jsonb_build_object('type', case draft when 4 then '["object"]'::jsonb else '["object","boolean"]' end, 'properties', jsonb_object_agg(key, rule)))
  from of_keyword
$$;

-- The same, made now and kept as a constant.
do $do$
  begin
    execute format($make$create function @extschema@._jsonschema_metaschema(draft integer) returns jsonb language sql immutable parallel safe set search_path = '' as
      $body$select case draft when 4 then %1$L::jsonb when 6 then %2$L::jsonb when 7 then %3$L::jsonb when 2019 then %4$L::jsonb when 2020 then %5$L::jsonb end$body$ $make$,
      @extschema@._jsonschema_make_metaschema(4), @extschema@._jsonschema_make_metaschema(6), @extschema@._jsonschema_make_metaschema(7), @extschema@._jsonschema_make_metaschema(2019), @extschema@._jsonschema_make_metaschema(2020));
  end
$do$;

-- An ECMA 262 regular expression (with its "u" flag) as PostgreSQL writes it; null if it is none. What PostgreSQL cannot say is refused.
create function @extschema@._jsonschema_regex(pattern text) returns text language plpgsql immutable strict parallel safe set search_path = '' as $$
  declare
    made text := '';
    rest text := pattern;
    piece text;
    code integer;
    depth integer := 0;
    in_class boolean := false;
    -- In a class: the piece before stands for many characters, so a hyphen after it is no range.
    is_set boolean := false;
    -- Outside: something stands before that may be repeated.
    is_atom boolean := false;
  begin
    while rest <> '' loop
      -- A surrogate pair, a longer escape, a group's head, a quantifier, or one character.
      piece := substring(rest from '^(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\}|\\x[0-9a-fA-F]{2}|\\c[A-Za-z]|\\[pPk][{<][^}>]*[}>]|\\.|\(\?<[=!]|\(\?<[A-Za-z_$][A-Za-z0-9_$]*>|\(\?[:=!]|\{[0-9]+(,[0-9]*)?\}|.)');
      if piece is null then
        return null;
      end if;
      rest := substr(rest, length(piece) + 1);
      if piece ~ '^\\[pPk][{<]' or piece = '\0' then
        raise exception 'jsonschema: the pattern % needs %, which PostgreSQL’s regular expressions do not have', to_json(pattern), piece using errcode = '0A000';
      elsif piece ~ '^\\[ux]' and length(piece) > 2 then
        code := case
          when length(piece) = 12 then 65536 + ((('x' || substr(piece, 3, 4))::bit(16)::integer & 1023) << 10) + (('x' || substr(piece, 9, 4))::bit(16)::integer & 1023)
          else ('x' || lpad(translate(substr(piece, 3), '{}', ''), 8, '0'))::bit(32)::integer end;
        if code = 0 or code > 1114111 then
          raise exception 'jsonschema: the pattern % names a character that no text of PostgreSQL holds', to_json(pattern) using errcode = '0A000';
        end if;
        made := made || '\U' || lpad(to_hex(code), 8, '0');
        is_atom := true;
        is_set := false;
      elsif piece in ('\d', '\w', '\s') then
        piece := case piece when '\d' then '0-9' when '\w' then 'A-Za-z0-9_' else '\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff' end;
        made := made || case when in_class then piece else '[' || piece || ']' end;
        is_atom := true;
        is_set := true;
      elsif piece in ('\D', '\W', '\S') then
        if in_class then
          raise exception 'jsonschema: the pattern % has % in a class, which PostgreSQL’s regular expressions do not have', to_json(pattern), piece using errcode = '0A000';
        end if;
        made := made || case piece when '\D' then '[^0-9]' when '\W' then '[^A-Za-z0-9_]' else '[^\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]' end;
        is_atom := true;
      elsif piece ~ '^\\' then
        if piece in ('\b', '\B') then
          made := made || case when in_class and piece = '\b' then '\b' when piece = '\b' then '\y' else '\Y' end;
          is_atom := in_class;
        elsif piece ~ '^\\([fnrtv]|c[A-Za-z]|[^A-Za-z0-9])$' or (piece ~ '^\\[1-9]$' and not in_class) then
          made := made || piece;
          is_atom := true;
        else
          return null;
        end if;
        is_set := false;
      elsif in_class then
        if piece = ']' then
          in_class := false;
          is_atom := true;
        elsif piece = '-' and is_set and rest !~ '^\]' then
          made := made || '\';
        elsif piece = '[' then
          made := made || '\';
        end if;
        -- More than one character: braces and groups mean themselves in here.
        made := made || left(piece, 1);
        rest := substr(piece, 2) || rest;
        is_set := false;
      elsif piece = '[' then
        in_class := true;
        is_set := false;
        made := made || '[';
        if rest ~ '^\^' then
          made := made || '^';
          rest := substr(rest, 2);
        end if;
        if rest ~ '^\]' then
          raise exception 'jsonschema: the pattern % has an empty class, which PostgreSQL’s regular expressions do not have', to_json(pattern) using errcode = '0A000';
        end if;
      elsif piece ~ '^\(' then
        depth := depth + 1;
        made := made || case when piece ~ '^\(\?<[^=!]' then '(' else piece end;
        if piece = '(' and rest ~ '^\?' then
          return null;
        end if;
        is_atom := false;
      elsif piece = ')' then
        depth := depth - 1;
        if depth < 0 then
          return null;
        end if;
        made := made || ')';
        is_atom := true;
      elsif piece in ('*', '+', '?') or piece ~ '^\{[0-9]' then
        if not is_atom then
          return null;
        end if;
        made := made || piece;
        if rest ~ '^\?' then
          made := made || '?';
          rest := substr(rest, 2);
        end if;
        is_atom := false;
      elsif piece in ('{', '}', ']') then
        return null;
      elsif piece = '.' then
        made := made || '[^\n\r\u2028\u2029]';
        is_atom := true;
      else
        made := made || piece;
        is_atom := piece not in ('^', '$', '|');
      end if;
    end loop;
    if depth > 0 or in_class then
      return null;
    end if;
    return made;
  end
$$;

-- The formats that drafts 4 to 7 assert; in later ones a format is a remark.
create function @extschema@._jsonschema_format(format text, value text) returns boolean language plpgsql immutable parallel safe set search_path = '' as $$
  declare
    part text[];
    minutes integer;
  begin
    case format
      when 'date' then
        part := regexp_match(value, '^([0-9]{4})-([0-9]{2})-([0-9]{2})$');
        return part is not null and part[2]::integer between 1 and 12 and part[3]::integer between 1 and case
          when part[2] = '02' then case when part[1]::integer % 4 = 0 and (part[1]::integer % 100 <> 0 or part[1]::integer % 400 = 0) then 29 else 28 end
          when part[2] in ('04', '06', '09', '11') then 30 else 31 end;
      when 'time' then
        part := regexp_match(value, '^([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(\.[0-9]+)?([zZ]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))$');
        if part is null or part[3] <> '60' then
          return part is not null;
        end if;
        -- A leap second ends a day in UTC.
        minutes := part[1]::integer * 60 + part[2]::integer - coalesce((part[6] || '1')::integer * (part[7]::integer * 60 + part[8]::integer), 0);
        return (minutes + 2880) % 1440 = 1439;
      when 'date-time' then
        return substr(value, 11, 1) in ('T', 't') and @extschema@._jsonschema_format('date', left(value, 10)) and @extschema@._jsonschema_format('time', substr(value, 12));
      when 'email', 'idn-email' then
        part := regexp_match(value, '^("[^"]+"|[^@\s".][^@\s"]*)@([^@\s]+)$');
        return part is not null and length(part[1]) <= 64 and part[1] !~ '\.\.|\.$'
          and (part[2] ~ '^\[(IPv6:[0-9a-fA-F:.]+|[0-9.]+)\]$' or @extschema@._jsonschema_format(case format when 'email' then 'hostname' else 'idn-hostname' end, part[2]));
      when 'hostname' then
        return length(value) <= 253 and value ~ '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$';
      when 'idn-hostname' then
        return length(value) <= 253 and value ~ '^[[:alnum:]\u0080-\U0010ffff]([[:alnum:]\u0080-\U0010ffff-]{0,61}[[:alnum:]\u0080-\U0010ffff])?(\.[[:alnum:]\u0080-\U0010ffff]([[:alnum:]\u0080-\U0010ffff-]{0,61}[[:alnum:]\u0080-\U0010ffff])?)*$';
      when 'ipv4' then
        return value ~ '^(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}$';
      when 'ipv6' then
        part := regexp_match(value, '^(.*:)([0-9]+\.[0-9.]+)$');
        if part is not null then
          return @extschema@._jsonschema_format('ipv4', part[2]) and @extschema@._jsonschema_format('ipv6', part[1] || '0:0');
        end if;
        return (value ~ '^([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$')
          or (value ~ '^([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?::([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?$'
            and coalesce(cardinality(string_to_array(nullif(split_part(value, '::', 1), ''), ':')), 0) + coalesce(cardinality(string_to_array(nullif(split_part(value, '::', 2), ''), ':')), 0) <= 7);
      when 'uri', 'uri-reference' then
        return value ~ '^(%[0-9A-Fa-f]{2}|[A-Za-z0-9._~:/?#\[\]@!$&''()*+,;=-])*$' and value !~ '#.*#' and (format = 'uri-reference' or value ~ '^[A-Za-z][A-Za-z0-9+.-]*:.');
      when 'iri', 'iri-reference' then
        return value ~ '^(%[0-9A-Fa-f]{2}|[A-Za-z0-9._~:/?#\[\]@!$&''()*+,;=\u00a0-\U0010ffff-])*$' and value !~ '#.*#' and (format = 'iri-reference' or value ~ '^[A-Za-z][A-Za-z0-9+.-]*:.');
      when 'uri-template' then
        return value ~ '^([^{}\s"''<>\\^`|]|\{[+#./;?&=,!@|]?[A-Za-z0-9_.,%*:]+\})*$';
      when 'json-pointer' then
        return value ~ '^(/([^~/]|~[01])*)*$';
      when 'relative-json-pointer' then
        return value ~ '^(0|[1-9][0-9]*)(#|(/([^~/]|~[01])*)*)$';
      when 'regex' then
        return @extschema@._jsonschema_regex(value) is not null;
      else
        return null;
    end case;
  end
$$;

-- Errors of a value, and which of its properties and items the schema has looked at (for unevaluated…).
create function @extschema@._jsonschema_walk(doc jsonb, node jsonb, value jsonb, depth integer, is_brief boolean, out errors text[], out props text[], out items integer[])
language plpgsql immutable parallel safe set search_path = '' as $$
  #variable_conflict use_variable
  declare
    kind text := jsonb_typeof(value);
    draft integer := (doc ->> 'draft')::integer;
    tracks boolean := (doc ->> 'tracks')::boolean;
    keyword text;
    rule jsonb;
    name text;
    sub jsonb;
    r record;
    seen text[];
    seen_items integer[];
    matched integer;
    first integer;
    size integer;
    number numeric;
  begin
    errors := '{}';
    props := '{}';
    items := '{}';
    if depth > 300 then
      raise exception 'jsonschema: schema and value are nested more than 300 deep, or a reference leads back to itself' using errcode = '54001';
    end if;
    if jsonb_typeof(node) = 'boolean' then
      if node = 'false' then
        errors := array[format('False schema does not allow %s', value)];
      end if;
      return;
    end if;

    -- Keys come by their length, so that unevaluated… come after all that they ask about.
    for keyword, rule in select e.key, e.value from jsonb_each(node) e loop
      if is_brief and cardinality(errors) > 0 then
        return;
      end if;
      if draft <= 7 and keyword <> '$ref' and node ? '$ref' then
        continue;
      end if;
      case keyword
        -- A path into the compiled schema.
        when '$ref', '$dynamicRef', '$recursiveRef' then
          r := @extschema@._jsonschema_walk(doc, (doc -> 'root') #> (rule #>> '{}')::text[], value, depth + 1, is_brief);
          errors := errors || r.errors;
          props := props || r.props;
          items := items || r.items;

        when 'type' then
          if not ((case jsonb_typeof(rule) when 'array' then rule else jsonb_build_array(rule) end) ? kind
              or (kind = 'number' and (rule = '"integer"' or (jsonb_typeof(rule) = 'array' and rule ? 'integer')) and value::numeric % 1 = 0)) then
            errors := errors || format('%s is not of type%s %s', value, case when jsonb_typeof(rule) = 'array' then 's' end, case jsonb_typeof(rule) when 'array' then (select string_agg(t::text, ', ') from jsonb_array_elements(rule) t) else rule::text end);
          end if;
        when 'enum' then
          if not exists (select from jsonb_array_elements(rule) e where e = value) then
            errors := errors || format('%s is not one of %s', value, rule);
          end if;
        when 'const' then
          if rule <> value then
            errors := errors || format('%s was expected', rule);
          end if;

        when 'multipleOf', 'maximum', 'minimum', 'exclusiveMaximum', 'exclusiveMinimum' then
          if kind = 'number' and jsonb_typeof(rule) = 'number' then
            number := rule::numeric;
            if keyword = 'multipleOf' and value::numeric % number <> 0 then
              errors := errors || format('%s is not a multiple of %s', value, rule);
            elsif keyword = 'maximum' and (value::numeric > number or (value::numeric = number and node -> 'exclusiveMaximum' = 'true')) then
              errors := errors || format('%s is greater than%s the maximum of %s', value, case when value::numeric = number then ' or equal to' end, rule);
            elsif keyword = 'minimum' and (value::numeric < number or (value::numeric = number and node -> 'exclusiveMinimum' = 'true')) then
              errors := errors || format('%s is less than%s the minimum of %s', value, case when value::numeric = number then ' or equal to' end, rule);
            elsif keyword = 'exclusiveMaximum' and value::numeric >= number then
              errors := errors || format('%s is greater than or equal to the maximum of %s', value, rule);
            elsif keyword = 'exclusiveMinimum' and value::numeric <= number then
              errors := errors || format('%s is less than or equal to the minimum of %s', value, rule);
            end if;
          end if;

        when 'maxLength', 'minLength' then
          if kind = 'string' then
            if keyword = 'maxLength' and char_length(value #>> '{}') > rule::numeric then
              errors := errors || format('%s is longer than %s character%s', value, rule, case when rule::numeric <> 1 then 's' end);
            elsif keyword = 'minLength' and char_length(value #>> '{}') < rule::numeric then
              errors := errors || format('%s is shorter than %s character%s', value, rule, case when rule::numeric <> 1 then 's' end);
            end if;
          end if;
        when 'pattern' then
          if kind = 'string' and (value #>> '{}') !~ (doc -> 'patterns' ->> (rule #>> '{}')) then
            errors := errors || format('%s does not match %s', value, rule);
          end if;
        when 'format' then
          if kind = 'string' and draft <= 7 and not @extschema@._jsonschema_format(rule #>> '{}', value #>> '{}') then
            errors := errors || format('%s is not a %s', value, rule);
          end if;

        when 'maxItems', 'minItems' then
          if kind = 'array' then
            if keyword = 'maxItems' and jsonb_array_length(value) > rule::numeric then
              errors := errors || format('%s has more than %s item%s', value, rule, case when rule::numeric <> 1 then 's' end);
            elsif keyword = 'minItems' and jsonb_array_length(value) < rule::numeric then
              errors := errors || format('%s has less than %s item%s', value, rule, case when rule::numeric <> 1 then 's' end);
            end if;
          end if;
        when 'uniqueItems' then
          if kind = 'array' and rule = 'true' and (select count(*) <> count(distinct e) from jsonb_array_elements(value) e) then
            errors := errors || format('%s has non-unique elements', value);
          end if;
        when 'prefixItems', 'items', 'additionalItems', 'unevaluatedItems' then
          if kind = 'array' then
            size := jsonb_array_length(value);
            first := case
              when keyword = 'items' and node ? 'prefixItems' then jsonb_array_length(node -> 'prefixItems')
              when keyword = 'additionalItems' then case jsonb_typeof(node -> 'items') when 'array' then jsonb_array_length(node -> 'items') else size end
              else 0 end;
            for i in first .. case jsonb_typeof(rule) when 'array' then least(size, jsonb_array_length(rule)) else size end - 1 loop
              continue when keyword = 'unevaluatedItems' and i = any (items);
              r := @extschema@._jsonschema_walk(doc, case jsonb_typeof(rule) when 'array' then rule -> i else rule end, value -> i, depth + 1, is_brief);
              if keyword = 'unevaluatedItems' and cardinality(r.errors) > 0 then
                errors := errors || format('Unevaluated items are not allowed (%s was unexpected)', value -> i);
              else
                errors := errors || r.errors;
              end if;
              items := items || i;
              exit when is_brief and cardinality(errors) > 0;
            end loop;
          end if;
        when 'contains' then
          if kind = 'array' then
            matched := 0;
            for i in 0 .. jsonb_array_length(value) - 1 loop
              r := @extschema@._jsonschema_walk(doc, rule, value -> i, depth + 1, true);
              if cardinality(r.errors) = 0 then
                matched := matched + 1;
                if draft >= 2020 then
                  items := items || i;
                end if;
              end if;
            end loop;
            if matched < coalesce((node ->> 'minContains')::numeric, 1) then
              errors := errors || format('None of %s are valid under the given schema', value);
            elsif matched > (node ->> 'maxContains')::numeric then
              errors := errors || format('Too many items of %s are valid under the given schema', value);
            end if;
          end if;

        when 'maxProperties', 'minProperties' then
          if kind = 'object' then
            size := (select count(*) from jsonb_object_keys(value));
            if keyword = 'maxProperties' and size > rule::numeric then
              errors := errors || format('%s has more than %s propert%s', value, rule, case when rule::numeric <> 1 then 'ies' else 'y' end);
            elsif keyword = 'minProperties' and size < rule::numeric then
              errors := errors || format('%s has less than %s propert%s', value, rule, case when rule::numeric <> 1 then 'ies' else 'y' end);
            end if;
          end if;
        when 'required' then
          if kind = 'object' then
            errors := errors || array(select format('%s is a required property', w) from jsonb_array_elements(rule) w where not value ? (w #>> '{}'));
          end if;
        when 'properties' then
          if kind = 'object' then
            for name in select n from jsonb_object_keys(value) n where rule ? n loop
              r := @extschema@._jsonschema_walk(doc, rule -> name, value -> name, depth + 1, is_brief);
              errors := errors || r.errors;
              props := props || name;
              exit when is_brief and cardinality(errors) > 0;
            end loop;
          end if;
        when 'patternProperties' then
          if kind = 'object' then
            for name, sub in select n, e.value from jsonb_each(rule) e, jsonb_object_keys(value) n where n ~ (doc -> 'patterns' ->> e.key) loop
              r := @extschema@._jsonschema_walk(doc, sub, value -> name, depth + 1, is_brief);
              errors := errors || r.errors;
              props := props || name;
              exit when is_brief and cardinality(errors) > 0;
            end loop;
          end if;
        when 'additionalProperties', 'unevaluatedProperties' then
          if kind = 'object' then
            for name in
              select n from jsonb_object_keys(value) n
              where case keyword when 'unevaluatedProperties' then n <> all (props)
                else not coalesce(node -> 'properties' ? n, false) and not exists (select from jsonb_object_keys(coalesce(node -> 'patternProperties', '{}')) p where n ~ (doc -> 'patterns' ->> p)) end
            loop
              r := @extschema@._jsonschema_walk(doc, rule, value -> name, depth + 1, is_brief);
              if rule = 'false' then
                errors := errors || format('%s properties are not allowed (''%s'' was unexpected)', initcap(replace(keyword, 'Properties', '')), name);
              else
                errors := errors || r.errors;
              end if;
              props := props || name;
              exit when is_brief and cardinality(errors) > 0;
            end loop;
          end if;
        when 'propertyNames' then
          if kind = 'object' then
            for name in select n from jsonb_object_keys(value) n loop
              r := @extschema@._jsonschema_walk(doc, rule, to_jsonb(name), depth + 1, is_brief);
              errors := errors || r.errors;
              exit when is_brief and cardinality(errors) > 0;
            end loop;
          end if;
        when 'dependentRequired', 'dependentSchemas', 'dependencies' then
          if kind = 'object' then
            for name, sub in select e.key, e.value from jsonb_each(rule) e where value ? e.key loop
              if jsonb_typeof(sub) = 'array' then
                errors := errors || array(select format('%s is a required property', w) from jsonb_array_elements(sub) w where not value ? (w #>> '{}'));
              else
                r := @extschema@._jsonschema_walk(doc, sub, value, depth + 1, is_brief);
                errors := errors || r.errors;
                props := props || r.props;
                items := items || r.items;
              end if;
            end loop;
          end if;

        when 'allOf' then
          for sub in select e from jsonb_array_elements(rule) e loop
            r := @extschema@._jsonschema_walk(doc, sub, value, depth + 1, is_brief);
            errors := errors || r.errors;
            props := props || r.props;
            items := items || r.items;
            exit when is_brief and cardinality(errors) > 0;
          end loop;
        when 'anyOf', 'oneOf' then
          matched := 0;
          seen := '{}';
          seen_items := '{}';
          for sub in select e from jsonb_array_elements(rule) e loop
            r := @extschema@._jsonschema_walk(doc, sub, value, depth + 1, true);
            if cardinality(r.errors) = 0 then
              matched := matched + 1;
              seen := seen || r.props;
              seen_items := seen_items || r.items;
              exit when not tracks and (keyword = 'anyOf' or matched = 2);
            end if;
          end loop;
          if matched = 0 then
            errors := errors || format('%s is not valid under any of the schemas listed in the ''%s'' keyword', value, keyword);
          elsif keyword = 'oneOf' and matched > 1 then
            errors := errors || format('%s is valid under more than one of the schemas listed in the ''oneOf'' keyword', value);
          else
            props := props || seen;
            items := items || seen_items;
          end if;
        when 'not' then
          r := @extschema@._jsonschema_walk(doc, rule, value, depth + 1, true);
          if cardinality(r.errors) = 0 then
            errors := errors || format('%s is not allowed for %s', rule, value);
          end if;
        when 'if' then
          r := @extschema@._jsonschema_walk(doc, rule, value, depth + 1, true);
          if cardinality(r.errors) = 0 then
            props := props || r.props;
            items := items || r.items;
            sub := node -> 'then';
          else
            sub := node -> 'else';
          end if;
          if sub is not null then
            r := @extschema@._jsonschema_walk(doc, sub, value, depth + 1, is_brief);
            errors := errors || r.errors;
            props := props || r.props;
            items := items || r.items;
          end if;
        else
          -- A remark, or a part of another keyword.
      end case;
    end loop;
  end
$$;

-- The schemas that stand directly in a schema, with the way to each.
create function @extschema@._jsonschema_children(node jsonb) returns table (path text[], child jsonb) language sql immutable parallel safe set search_path = '' as $$
  select array[e.key], e.value from jsonb_each(case jsonb_typeof(node) when 'object' then node else '{}' end) e
  where e.key in ('additionalItems', 'contains', 'additionalProperties', 'propertyNames', 'not', 'if', 'then', 'else', 'unevaluatedItems', 'unevaluatedProperties', 'contentSchema', 'items') and jsonb_typeof(e.value) in ('object', 'boolean')
  union all
  select array[e.key, (i.place - 1)::text], i.child from jsonb_each(case jsonb_typeof(node) when 'object' then node else '{}' end) e,
    jsonb_array_elements(case jsonb_typeof(e.value) when 'array' then e.value else '[]' end) with ordinality as i(child, place)
  where e.key in ('allOf', 'anyOf', 'oneOf', 'prefixItems', 'items')
  union all
  select array[e.key, m.key], m.value from jsonb_each(case jsonb_typeof(node) when 'object' then node else '{}' end) e,
    jsonb_each(case jsonb_typeof(e.value) when 'object' then e.value else '{}' end) m
  where e.key in ('properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies') and jsonb_typeof(m.value) in ('object', 'boolean')
$$;

create function @extschema@._jsonschema_draft(schema jsonb) returns integer language plpgsql immutable parallel safe set search_path = '' as $$
  declare
    uri text := case when jsonb_typeof(schema -> '$schema') = 'string' then rtrim(schema ->> '$schema', '#') end;
    draft integer := case
      when uri is null or uri ~ '^https?://json-schema\.org/draft/2020-12/schema$' then 2020
      when uri ~ '^https?://json-schema\.org/draft/2019-09/schema$' then 2019
      when uri ~ '^https?://json-schema\.org/draft-07/schema$' then 7
      when uri ~ '^https?://json-schema\.org/draft-06/schema$' then 6
      when uri ~ '^https?://json-schema\.org/draft-04/schema$' then 4 end;
  begin
    if draft is null then
      raise exception 'jsonschema: unknown $schema %', schema -> '$schema' using errcode = '0A000', hint = 'Known are the drafts 4, 6, 7, 2019-09 and 2020-12.';
    end if;
    return draft;
  end
$$;

-- A reference to the URI that it means, seen from the schema that it stands in.
create function @extschema@._jsonschema_resolve(base text, reference text) returns text language sql immutable parallel safe set search_path = '' as $$
  select case
    when reference = '' then base
    when reference ~ '^[A-Za-z][A-Za-z0-9+.-]*:' then reference
    when reference ~ '^#' then base || reference
    when reference ~ '^//' then substring(base from '^[A-Za-z][A-Za-z0-9+.-]*:') || reference
    when reference ~ '^/' then coalesce(substring(base from '^[A-Za-z][A-Za-z0-9+.-]*://[^/]*'), '') || reference
    else regexp_replace(base, '[^/]*$', '') || regexp_replace(reference, '^\./', '') end
$$;

-- A schema as the walk takes it.
create function @extschema@._jsonschema_compile(schema json) returns jsonb language plpgsql immutable strict parallel safe set search_path = '' as $$
  declare
    root jsonb := schema::jsonb;
    draft integer := @extschema@._jsonschema_draft(root);
    metaschema jsonb := @extschema@._jsonschema_metaschema(draft);
    known jsonb := metaschema -> 'root' -> 'properties';
    problems text[] := (@extschema@._jsonschema_walk(metaschema, metaschema -> 'root', root, 0, false)).errors;
    places jsonb := '{}';
    patterns jsonb := '{}';
    word text;
    target text;
    part text;
    way text[];
    found record;
  begin
    if cardinality(problems) > 0 then
      raise exception 'jsonschema: this is no valid schema: %', problems[1] using errcode = '22023';
    end if;

    for found in
      with recursive nodes(path, node, base) as (
        select '{}'::text[], root, regexp_replace(coalesce(case when jsonb_typeof(root) = 'object' then root ->> case draft when 4 then 'id' else '$id' end end, ''), '#$', '')
        union all
        select n.path || c.path, c.child, case
          when c.child ? case draft when 4 then 'id' else '$id' end and c.child ->> case draft when 4 then 'id' else '$id' end !~ '^#' and not (draft <= 7 and c.child ? '$ref')
          then regexp_replace(@extschema@._jsonschema_resolve(n.base, c.child ->> case draft when 4 then 'id' else '$id' end), '#$', '') else n.base end
        from nodes n, lateral @extschema@._jsonschema_children(n.node) c
      )
      select * from nodes where jsonb_typeof(node) = 'object'
    loop
      places := places || jsonb_build_object('at ' || found.path::text, found.base);
      if found.path = '{}' or found.base is distinct from places ->> ('at ' || found.path[:cardinality(found.path) - 1]::text) then
        places := jsonb_build_object('uri ' || found.base, found.path::text) || places;
      end if;
      -- Old drafts name an anchor by an identifier that is only a fragment.
      foreach part in array array[found.node ->> '$anchor', found.node ->> '$dynamicAnchor', substring(found.node ->> '$id' from '^#(.+)$'), substring(found.node ->> 'id' from '^#(.+)$')] loop
        if part is not null and draft >= 4 then
          places := places || jsonb_build_object('uri ' || found.base || '#' || part, found.path::text);
        end if;
      end loop;
      for word in select key from jsonb_each(found.node) loop
        continue when draft <= 7 and found.node ? '$ref' and word <> '$ref' or word ~ '^x-';
        if not known ? word then
          raise exception 'jsonschema: unknown keyword "%" at "/%"', word, array_to_string(found.path, '/')
            using errcode = '0A000', detail = format('It would have to be passed over in draft %s, and what it asks for would not be checked.', case draft when 2020 then '2020-12' when 2019 then '2019-09' else draft::text end),
              hint = 'Remarks of your own are keywords that begin with x-.';
        end if;
      end loop;
      if draft <= 7 and found.node ? 'format' and @extschema@._jsonschema_format(found.node ->> 'format', '') is null then
        raise exception 'jsonschema: unknown format "%" at "/%"', found.node ->> 'format', array_to_string(found.path, '/') using errcode = '0A000';
      end if;
      if found.node ? 'pattern' then
        patterns := patterns || jsonb_build_object(found.node ->> 'pattern', @extschema@._jsonschema_regex(found.node ->> 'pattern'));
      end if;
      if found.node ? 'patternProperties' then
        patterns := patterns || (select coalesce(jsonb_object_agg(k, @extschema@._jsonschema_regex(k)), '{}') from jsonb_object_keys(found.node -> 'patternProperties') k);
      end if;
    end loop;

    for found in
      select substr(p.key, 4)::text[] as path, p.value #>> '{}' as base, k.word as word from jsonb_each(places) p, unnest(array['$ref', '$dynamicRef', '$recursiveRef']) as k(word)
      where p.key ~ '^at ' and root #> substr(p.key, 4)::text[] ? k.word
    loop
      target := @extschema@._jsonschema_resolve(found.base, root #>> (found.path || found.word));
      part := coalesce(substring(target from '#(.*)$'), '');
      way := (places ->> ('uri ' || regexp_replace(target, '#.*$', '')))::text[];
      if part ~ '^/' then
        -- A pointer, as a fragment of a URI may write it.
        way := way || array(select replace(replace(@extschema@._jsonschema_unescape(s), '~1', '/'), '~0', '~') from unnest(string_to_array(substr(part, 2), '/')) with ordinality as u(s, place) order by place);
      elsif part <> '' then
        way := (places ->> ('uri ' || target))::text[];
      end if;
      if way is null or not (places ? ('at ' || way::text) or coalesce(jsonb_typeof(root #> way) = 'boolean', false)) then
        raise exception 'jsonschema: the % "%" at "/%" leads to no schema in this one', found.word, root #>> (found.path || found.word), array_to_string(found.path, '/')
          using errcode = '0A000', hint = 'References to other documents are not followed: put what they hold into $defs.';
      end if;
      -- In one document with one identifier it leads where $ref would.
      if found.word <> '$ref' and (select count(distinct v) > 1 from jsonb_each_text(places) as e(k, v) where k ~ '^at ') then
        raise exception 'jsonschema: % over several $id is not known here', found.word using errcode = '0A000';
      end if;
      root := jsonb_set(root, found.path || found.word, to_jsonb(way::text));
    end loop;
    return jsonb_build_object('draft', draft, 'root', root, 'patterns', patterns, 'tracks', root::text ~ '"unevaluated(Items|Properties)"');
  end
$$;

-- %25 and its like, bytes of UTF-8.
create function @extschema@._jsonschema_unescape(text text) returns text language sql immutable parallel safe set search_path = '' as $$
  select case when text ~ '%[0-9A-Fa-f]{2}' then (
    select convert_from(string_agg(case when m[1] ~ '^%[0-9A-Fa-f]{2}$' then decode(substr(m[1], 2), 'hex') else convert_to(m[1], 'utf8') end, ''::bytea order by place), 'utf8')
    from regexp_matches(text, '(%[0-9A-Fa-f]{2}|[^%]+|%)', 'g') with ordinality as t(m, place)
  ) else text end
$$;

create function @extschema@._jsonschema_matches(compiled jsonb, instance jsonb) returns boolean language sql immutable strict parallel safe set search_path = '' as $$
  select cardinality((@extschema@._jsonschema_walk(compiled, compiled -> 'root', instance, 0, not (compiled ->> 'tracks')::boolean)).errors) = 0
$$;

create function @extschema@.json_matches_schema(schema json, instance json) returns boolean language sql immutable strict parallel safe
  return @extschema@._jsonschema_matches(@extschema@._jsonschema_compile(schema), instance::jsonb);

create function @extschema@.jsonb_matches_schema(schema json, instance jsonb) returns boolean language sql immutable strict parallel safe
  return @extschema@._jsonschema_matches(@extschema@._jsonschema_compile(schema), instance);

create function @extschema@.jsonschema_is_valid(schema json) returns boolean language sql immutable strict parallel safe set search_path = '' as $$
  select cardinality((@extschema@._jsonschema_walk(m, m -> 'root', schema::jsonb, 0, true)).errors) = 0
  from @extschema@._jsonschema_metaschema(@extschema@._jsonschema_draft(schema::jsonb)) m
$$;

create function @extschema@.jsonschema_validation_errors(schema json, instance json) returns text[] language sql immutable strict parallel safe set search_path = '' as $$
  select (@extschema@._jsonschema_walk(c, c -> 'root', instance::jsonb, 0, false)).errors from @extschema@._jsonschema_compile(schema) c
$$;

-- As an extension only:
alter function @extschema@._jsonschema_keywords() owner to mainstay_extensions;
alter function @extschema@._jsonschema_make_metaschema(integer) owner to mainstay_extensions;
alter function @extschema@._jsonschema_metaschema(integer) owner to mainstay_extensions;
alter function @extschema@._jsonschema_regex(text) owner to mainstay_extensions;
alter function @extschema@._jsonschema_format(text, text) owner to mainstay_extensions;
alter function @extschema@._jsonschema_walk(jsonb, jsonb, jsonb, integer, boolean) owner to mainstay_extensions;
alter function @extschema@._jsonschema_children(jsonb) owner to mainstay_extensions;
alter function @extschema@._jsonschema_draft(jsonb) owner to mainstay_extensions;
alter function @extschema@._jsonschema_resolve(text, text) owner to mainstay_extensions;
alter function @extschema@._jsonschema_compile(json) owner to mainstay_extensions;
alter function @extschema@._jsonschema_unescape(text) owner to mainstay_extensions;
alter function @extschema@._jsonschema_matches(jsonb, jsonb) owner to mainstay_extensions;
alter function @extschema@.json_matches_schema(json, json) owner to mainstay_extensions;
alter function @extschema@.jsonb_matches_schema(json, jsonb) owner to mainstay_extensions;
alter function @extschema@.jsonschema_is_valid(json) owner to mainstay_extensions;
alter function @extschema@.jsonschema_validation_errors(json, json) owner to mainstay_extensions;
