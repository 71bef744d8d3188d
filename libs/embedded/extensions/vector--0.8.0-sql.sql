-- A vector is kept as the text that pgvector shows, so its input and output are functions that PostgreSQL has, and what is written is
-- checked by a domain: the input function is the one of domains, and reads the type's element type for the domain to check by.
set local search_path = pg_catalog, pg_temp;

create function @extschema@._vector_check(value text, type text) returns boolean language plpgsql immutable strict parallel safe set search_path = '' as $$
  declare
    inner_text text := substring(value from '^\s*\[(.*)\]\s*$');
  begin
    if inner_text ~ '^\s*$' then
      raise exception '% must have at least 1 dimension', type using errcode = '22000';
    elsif inner_text ~* '(^|,)\s*[+-]?nan\s*(,|$)' then
      raise exception 'NaN not allowed in %', type using errcode = '22000';
    elsif inner_text ~* '(^|,)\s*[+-]?inf(inity)?\s*(,|$)' then
      raise exception 'infinite value not allowed in %', type using errcode = '22000';
    elsif inner_text is null or inner_text !~ '^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*(,\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*)*$' then
      raise exception 'invalid input syntax for type %: "%"', type, value using errcode = '22P02';
    elsif cardinality(('{' || inner_text || '}')::real[]) > 16000 then
      raise exception '% cannot have more than 16000 dimensions', type using errcode = '54000';
    end if;
    return true;
  end
$$;

-- The nearest number of half precision: eleven bits, the smallest 2^-24.
create function @extschema@._half(value real) returns real language plpgsql immutable strict parallel safe set search_path = '' as $$
  declare
    step double precision := 2 ^ greatest(floor(ln(nullif(abs(value::double precision), 0)) / ln(2.0::double precision) + 1e-12) - 10, -24);
    rounded double precision := coalesce(round(value / step) * step, 0);
  begin
    if abs(rounded) > 65504 then
      raise exception '"%" is out of range for type halfvec', value using errcode = '22003';
    end if;
    return rounded;
  end
$$;

-- Elements are numbered from 1, as in {1:1.5,3:2}/5.
create function @extschema@._sparsevec_check(value text) returns boolean language plpgsql immutable strict parallel safe set search_path = '' as $$
  declare
    part text[] := regexp_match(value, '^\s*\{(.*)\}\s*/\s*([0-9]+)\s*$');
    dims numeric := part[2]::numeric;
    item text;
    element text[];
    seen integer[] := '{}';
  begin
    if part is null then
      raise exception 'invalid input syntax for type sparsevec: "%"', value using errcode = '22P02';
    elsif dims < 1 then
      raise exception 'sparsevec must have at least 1 dimension' using errcode = '22000';
    elsif dims > 1000000000 then
      raise exception 'sparsevec cannot have more than 1000000000 dimensions' using errcode = '54000';
    end if;
    foreach item in array coalesce(string_to_array(nullif(btrim(part[1]), ''), ','), '{}') loop
      element := regexp_match(item, '^\s*([0-9]+)\s*:\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*$');
      if item ~* ':\s*[+-]?nan\s*$' then
        raise exception 'NaN not allowed in sparsevec' using errcode = '22000';
      elsif item ~* ':\s*[+-]?inf(inity)?\s*$' then
        raise exception 'infinite value not allowed in sparsevec' using errcode = '22000';
      elsif element is null then
        raise exception 'invalid input syntax for type sparsevec: "%"', value using errcode = '22P02';
      elsif element[1]::numeric < 1 or element[1]::numeric > dims then
        raise exception 'sparsevec index out of bounds' using errcode = '22000';
      end if;
      perform element[2]::real;
      seen := seen || element[1]::integer;
    end loop;
    if cardinality(seen) > 16000 then
      raise exception 'sparsevec cannot have more than 16000 non-zero elements' using errcode = '54000';
    elsif (select count(distinct i) from unnest(seen) i) <> cardinality(seen) then
      raise exception 'sparsevec indices must not contain duplicates' using errcode = '22000';
    end if;
    return true;
  end
$$;

do $make$
  declare
    type text;
  begin
    foreach type in array array['vector', 'halfvec', 'sparsevec'] loop
      execute format($$
        create domain @extschema@._%1$s_text as text check (@extschema@._%2$s);
        create type @extschema@.%1$s;
        create function @extschema@.%1$s_in(cstring, oid, integer) returns @extschema@.%1$s language internal immutable strict parallel safe as 'domain_in';
        create function @extschema@.%1$s_out(@extschema@.%1$s) returns cstring language internal immutable strict parallel safe as 'textout';
        create function @extschema@.%1$s_typmod_in(cstring[]) returns integer language internal immutable strict parallel safe as 'varchartypmodin';
        create function @extschema@.%1$s_typmod_out(integer) returns cstring language internal immutable strict parallel safe as 'varchartypmodout';
        create type @extschema@.%1$s (input = @extschema@.%1$s_in, output = @extschema@.%1$s_out, typmod_in = @extschema@.%1$s_typmod_in, typmod_out = @extschema@.%1$s_typmod_out, internallength = variable, alignment = int4, storage = external);
        update pg_catalog.pg_type set typelem = '@extschema@._%1$s_text'::regtype where oid = '@extschema@.%1$s'::regtype;
        -- The domain's input believes whatever type it is told: nobody may call it but the type itself.
        revoke execute on function @extschema@.%1$s_in(cstring, oid, integer) from public;
        create function @extschema@._%1$s_join(text, text) returns @extschema@.%1$s language internal immutable strict parallel safe as 'textcat';
      $$, type, case type when 'sparsevec' then 'sparsevec_check(value)' else format('vector_check(value, %L)', type) end);
    end loop;
  end
$make$;

-- vector and halfvec alike.
do $make$
  declare
    type text;
    make text := $def$
      create cast (@extschema@.TYPE as text) without function as assignment;
      create function @extschema@._real(a @extschema@.TYPE) returns real[] language sql immutable strict parallel safe
        return replace(replace(a::text, '[', '{'), ']', '}')::real[];

      create function @extschema@._TYPE(elements real[], typmod integer) returns @extschema@.TYPE language plpgsql immutable strict parallel safe set search_path = '' as $$
        begin
          if array_ndims(elements) > 1 then
            raise exception 'array must be 1-D' using errcode = '22000';
          elsif cardinality(elements) = 0 then
            raise exception 'TYPE must have at least 1 dimension' using errcode = '22000';
          elsif cardinality(elements) > 16000 then
            raise exception 'TYPE cannot have more than 16000 dimensions' using errcode = '54000';
          elsif array_position(elements, null) is not null then
            raise exception 'array must not contain nulls' using errcode = '22004';
          elsif array_position(elements, 'NaN') is not null then
            raise exception 'NaN not allowed in TYPE' using errcode = '22000';
          elsif array_position(elements, 'Infinity') is not null or array_position(elements, '-Infinity') is not null then
            raise exception 'infinite value not allowed in TYPE' using errcode = '22000';
          elsif typmod <> -1 and cardinality(elements) <> typmod - 4 then
            raise exception 'expected % dimensions, not %', typmod - 4, cardinality(elements) using errcode = '22000';
          end if;
          return @extschema@._TYPE_join('[' || array_to_string(ROUNDED, ','), ']');
        end
      $$;

      -- What PostgreSQL calls for a column with dimensions.
      create function @extschema@.TYPE(a @extschema@.TYPE, typmod integer, is_explicit boolean) returns @extschema@.TYPE language sql immutable strict parallel safe
        return @extschema@._TYPE(@extschema@._real(a), typmod);
      create cast (@extschema@.TYPE as @extschema@.TYPE) with function @extschema@.TYPE(@extschema@.TYPE, integer, boolean) as implicit;
      create function @extschema@.array_to_TYPE(a integer[], typmod integer, is_explicit boolean) returns @extschema@.TYPE language sql immutable strict parallel safe return @extschema@._TYPE(a::real[], typmod);
      create function @extschema@.array_to_TYPE(a real[], typmod integer, is_explicit boolean) returns @extschema@.TYPE language sql immutable strict parallel safe return @extschema@._TYPE(a, typmod);
      create function @extschema@.array_to_TYPE(a double precision[], typmod integer, is_explicit boolean) returns @extschema@.TYPE language sql immutable strict parallel safe return @extschema@._TYPE(a::real[], typmod);
      create function @extschema@.array_to_TYPE(a numeric[], typmod integer, is_explicit boolean) returns @extschema@.TYPE language sql immutable strict parallel safe return @extschema@._TYPE(a::real[], typmod);
      create function @extschema@.TYPE_to_float4(a @extschema@.TYPE, typmod integer, is_explicit boolean) returns real[] language sql immutable strict parallel safe return @extschema@._real(a);
      create cast (integer[] as @extschema@.TYPE) with function @extschema@.array_to_TYPE(integer[], integer, boolean) as assignment;
      create cast (real[] as @extschema@.TYPE) with function @extschema@.array_to_TYPE(real[], integer, boolean) as assignment;
      create cast (double precision[] as @extschema@.TYPE) with function @extschema@.array_to_TYPE(double precision[], integer, boolean) as assignment;
      create cast (numeric[] as @extschema@.TYPE) with function @extschema@.array_to_TYPE(numeric[], integer, boolean) as assignment;

      create function @extschema@._TYPE_differ(x real[], y real[]) returns void language plpgsql immutable parallel safe set search_path = '' as $$
        begin
          raise exception 'different TYPE dimensions % and %', cardinality(x), cardinality(y) using errcode = '22000';
        end
      $$;

      -- Both are read once, and their elements walked side by side: three times as fast as a join of two functions.
      create function @extschema@.l2_distance(a @extschema@.TYPE, b @extschema@.TYPE) returns double precision language plpgsql immutable strict parallel safe set search_path = '' as $$
        declare
          x real[] := @extschema@._real(a);
          y real[] := @extschema@._real(b);
        begin
          if cardinality(x) <> cardinality(y) then perform @extschema@._TYPE_differ(x, y); end if;
          return (select sqrt(sum((p - q) * (p - q))) from (select unnest(x)::double precision as p, unnest(y)::double precision as q) e);
        end
      $$;
      create function @extschema@.TYPE_l2_squared_distance(a @extschema@.TYPE, b @extschema@.TYPE) returns double precision language sql immutable strict parallel safe return @extschema@.l2_distance(a, b) ^ 2;

      create function @extschema@.inner_product(a @extschema@.TYPE, b @extschema@.TYPE) returns double precision language plpgsql immutable strict parallel safe set search_path = '' as $$
        declare
          x real[] := @extschema@._real(a);
          y real[] := @extschema@._real(b);
        begin
          if cardinality(x) <> cardinality(y) then perform @extschema@._TYPE_differ(x, y); end if;
          return (select sum(p * q) from (select unnest(x)::double precision as p, unnest(y)::double precision as q) e);
        end
      $$;
      create function @extschema@.TYPE_negative_inner_product(a @extschema@.TYPE, b @extschema@.TYPE) returns double precision language sql immutable strict parallel safe return - @extschema@.inner_product(a, b);

      -- NaN where one is all zeros, as pgvector has it.
      create function @extschema@.cosine_distance(a @extschema@.TYPE, b @extschema@.TYPE) returns double precision language plpgsql immutable strict parallel safe set search_path = '' as $$
        declare
          x real[] := @extschema@._real(a);
          y real[] := @extschema@._real(b);
        begin
          if cardinality(x) <> cardinality(y) then perform @extschema@._TYPE_differ(x, y); end if;
          return (select coalesce(1 - greatest(-1, least(1, sum(p * q) / nullif(sqrt(sum(p * p) * sum(q * q)), 0))) + 0 * nullif(sum(p * p) * sum(q * q), 0), 'NaN')
            from (select unnest(x)::double precision as p, unnest(y)::double precision as q) e);
        end
      $$;

      create function @extschema@.l1_distance(a @extschema@.TYPE, b @extschema@.TYPE) returns double precision language plpgsql immutable strict parallel safe set search_path = '' as $$
        declare
          x real[] := @extschema@._real(a);
          y real[] := @extschema@._real(b);
        begin
          if cardinality(x) <> cardinality(y) then perform @extschema@._TYPE_differ(x, y); end if;
          return (select sum(abs(p - q)) from (select unnest(x)::double precision as p, unnest(y)::double precision as q) e);
        end
      $$;
      create function @extschema@.TYPE_spherical_distance(a @extschema@.TYPE, b @extschema@.TYPE) returns double precision language sql immutable strict parallel safe return acos(greatest(-1, least(1, @extschema@.inner_product(a, b)))) / pi();

      create function @extschema@.vector_dims(a @extschema@.TYPE) returns integer language sql immutable strict parallel safe return cardinality(@extschema@._real(a));
      create function @extschema@.NORM(a @extschema@.TYPE) returns double precision language sql immutable strict parallel safe return (select sqrt(sum(p::double precision * p)) from unnest(@extschema@._real(a)) p);
      create function @extschema@.l2_normalize(a @extschema@.TYPE) returns @extschema@.TYPE language plpgsql immutable strict parallel safe set search_path = '' as $$
        declare
          norm double precision := @extschema@.NORM(a);
        begin
          return case when norm = 0 then a else @extschema@._TYPE(array(select (p / norm)::real from unnest(@extschema@._real(a)) with ordinality as e(p, i) order by i), -1) end;
        end
      $$;
      create function @extschema@.binary_quantize(a @extschema@.TYPE) returns bit language sql immutable strict parallel safe
        return (select string_agg(case when p > 0 then '1' else '0' end, '' order by i) from unnest(@extschema@._real(a)) with ordinality as e(p, i))::varbit;
      create function @extschema@.subvector(a @extschema@.TYPE, start integer, count integer) returns @extschema@.TYPE language sql immutable strict parallel safe
        return @extschema@._TYPE((@extschema@._real(a))[greatest(start, 1) : start + count - 1], -1);

      create function @extschema@._TYPE_zip(a @extschema@.TYPE, b @extschema@.TYPE, operation "char") returns @extschema@.TYPE language plpgsql immutable strict parallel safe set search_path = '' as $$
        declare
          x real[] := @extschema@._real(a);
          y real[] := @extschema@._real(b);
        begin
          if cardinality(x) <> cardinality(y) then perform @extschema@._TYPE_differ(x, y); end if;
          return @extschema@._TYPE(array(select case operation when '+' then p + q when '-' then p - q else p * q end from (select unnest(x) as p, unnest(y) as q) e), -1);
        end
      $$;
      create function @extschema@.TYPE_add(a @extschema@.TYPE, b @extschema@.TYPE) returns @extschema@.TYPE language sql immutable strict parallel safe return @extschema@._TYPE_zip(a, b, '+');
      create function @extschema@.TYPE_sub(a @extschema@.TYPE, b @extschema@.TYPE) returns @extschema@.TYPE language sql immutable strict parallel safe return @extschema@._TYPE_zip(a, b, '-');
      create function @extschema@.TYPE_mul(a @extschema@.TYPE, b @extschema@.TYPE) returns @extschema@.TYPE language sql immutable strict parallel safe return @extschema@._TYPE_zip(a, b, '*');
      create function @extschema@.TYPE_concat(a @extschema@.TYPE, b @extschema@.TYPE) returns @extschema@.TYPE language sql immutable strict parallel safe return @extschema@._TYPE(@extschema@._real(a) || @extschema@._real(b), -1);

      create function @extschema@.TYPE_cmp(a @extschema@.TYPE, b @extschema@.TYPE) returns integer language sql immutable strict parallel safe return btarraycmp(@extschema@._real(a), @extschema@._real(b));
      create function @extschema@._hash(a @extschema@.TYPE) returns integer language sql immutable strict parallel safe return hash_array(@extschema@._real(a));

      create function @extschema@.TYPE_accum(state double precision[], a @extschema@.TYPE) returns double precision[] language plpgsql immutable strict parallel safe set search_path = '' as $$
        declare
          x real[] := @extschema@._real(a);
        begin
          if cardinality(state) = 1 then
            return array[1::double precision] || x::double precision[];
          elsif cardinality(state) - 1 <> cardinality(x) then
            raise exception 'expected % dimensions, not %', cardinality(state) - 1, cardinality(x) using errcode = '22000';
          end if;
          return array[state[1] + 1] || array(select p + q from (select unnest(state[2:]) as p, unnest(x) as q) e);
        end
      $$;
      create function @extschema@.TYPE_combine(a double precision[], b double precision[]) returns double precision[] language sql immutable strict parallel safe
        return case when cardinality(a) = 1 then b when cardinality(b) = 1 then a else array(select p + q from (select unnest(a) as p, unnest(b) as q) e) end;
      create function @extschema@.TYPE_avg(state double precision[]) returns @extschema@.TYPE language sql immutable strict parallel safe
        return case when state[1] > 0 then @extschema@._TYPE(array(select (p / state[1])::real from unnest(state[2:]) with ordinality as e(p, i) order by i), -1) end;
      create aggregate @extschema@.avg(@extschema@.TYPE) (sfunc = @extschema@.TYPE_accum, stype = double precision[], finalfunc = @extschema@.TYPE_avg, combinefunc = @extschema@.TYPE_combine, initcond = '{0}', parallel = safe);
      create aggregate @extschema@.sum(@extschema@.TYPE) (sfunc = @extschema@.TYPE_add, stype = @extschema@.TYPE, combinefunc = @extschema@.TYPE_add, parallel = safe);
    $def$;
  begin
    foreach type in array array['vector', 'halfvec'] loop
      execute replace(replace(replace(make, 'TYPE', type), 'NORM', case type when 'vector' then 'vector_norm' else 'l2_norm' end),
        'ROUNDED', case type when 'vector' then 'elements' else 'array(select @extschema@._half(p) from unnest(elements) with ordinality as e(p, i) order by i)' end);
    end loop;
  end
$make$;
-- A cast through the input function would need the right to call it.
create function @extschema@._vector_of(value text) returns @extschema@.vector language sql immutable strict parallel safe
  return case when @extschema@._vector_check(value, 'vector') then @extschema@._vector(replace(replace(value, '[', '{'), ']', '}')::real[], -1) end;
create function @extschema@._halfvec_of(value text) returns @extschema@.halfvec language sql immutable strict parallel safe
  return case when @extschema@._vector_check(value, 'halfvec') then @extschema@._halfvec(replace(replace(value, '[', '{'), ']', '}')::real[], -1) end;
create function @extschema@._sparsevec_of(value text) returns @extschema@.sparsevec language sql immutable strict parallel safe
  return case when @extschema@._sparsevec_check(value) then @extschema@._sparsevec_join(value, '') end;
create cast (text as @extschema@.vector) with function @extschema@._vector_of(text);
create cast (varchar as @extschema@.vector) with function @extschema@._vector_of(text);
create cast (text as @extschema@.halfvec) with function @extschema@._halfvec_of(text);
create cast (varchar as @extschema@.halfvec) with function @extschema@._halfvec_of(text);
create cast (text as @extschema@.sparsevec) with function @extschema@._sparsevec_of(text);
create cast (varchar as @extschema@.sparsevec) with function @extschema@._sparsevec_of(text);
create cast (@extschema@.vector as real[]) with function @extschema@.vector_to_float4(@extschema@.vector, integer, boolean) as implicit;
create cast (@extschema@.halfvec as real[]) with function @extschema@.halfvec_to_float4(@extschema@.halfvec, integer, boolean) as assignment;

-- sparsevec: elements that are not zero, by their number.
create cast (@extschema@.sparsevec as text) without function as assignment;
create function @extschema@._dims(a @extschema@.sparsevec) returns integer language sql immutable strict parallel safe return substring(a::text from '/\s*([0-9]+)')::integer;
create function @extschema@._elements(a @extschema@.sparsevec) returns table (i integer, x double precision) language sql immutable strict parallel safe
  begin atomic
    select split_part(e, ':', 1)::integer, split_part(e, ':', 2)::real::double precision from unnest(string_to_array(nullif(btrim(substring(a::text from '\{(.*)\}')), ''), ',')) e where split_part(e, ':', 2)::real <> 0;
  end;
create function @extschema@._pairs(a @extschema@.sparsevec, b @extschema@.sparsevec) returns table (x double precision, y double precision) language plpgsql immutable strict parallel safe set search_path = '' as $$
  begin
    if @extschema@._dims(a) <> @extschema@._dims(b) then
      raise exception 'different sparsevec dimensions % and %', @extschema@._dims(a), @extschema@._dims(b) using errcode = '22000';
    end if;
    return query select coalesce(p.x, 0), coalesce(q.x, 0) from @extschema@._elements(a) p full join @extschema@._elements(b) q on p.i = q.i;
  end
$$;
create function @extschema@.sparsevec(a @extschema@.sparsevec, typmod integer, is_explicit boolean) returns @extschema@.sparsevec language plpgsql immutable strict parallel safe set search_path = '' as $$
  begin
    if typmod <> -1 and @extschema@._dims(a) <> typmod - 4 then
      raise exception 'expected % dimensions, not %', typmod - 4, @extschema@._dims(a) using errcode = '22000';
    end if;
    return @extschema@._sparsevec_join('{' || coalesce((select string_agg(i || ':' || x::real, ',' order by i) from @extschema@._elements(a)), '') || '}/', @extschema@._dims(a)::text);
  end
$$;
create cast (@extschema@.sparsevec as @extschema@.sparsevec) with function @extschema@.sparsevec(@extschema@.sparsevec, integer, boolean) as implicit;
create function @extschema@.l2_distance(a @extschema@.sparsevec, b @extschema@.sparsevec) returns double precision language sql immutable strict parallel safe return (select coalesce(sqrt(sum((x - y) * (x - y))), 0) from @extschema@._pairs(a, b));
create function @extschema@.inner_product(a @extschema@.sparsevec, b @extschema@.sparsevec) returns double precision language sql immutable strict parallel safe return (select coalesce(sum(x * y), 0) from @extschema@._pairs(a, b));
create function @extschema@.sparsevec_negative_inner_product(a @extschema@.sparsevec, b @extschema@.sparsevec) returns double precision language sql immutable strict parallel safe return - @extschema@.inner_product(a, b);
create function @extschema@.cosine_distance(a @extschema@.sparsevec, b @extschema@.sparsevec) returns double precision language sql immutable strict parallel safe
  return (select case when sum(x * x) > 0 and sum(y * y) > 0 then 1 - greatest(-1, least(1, sum(x * y) / sqrt(sum(x * x) * sum(y * y)))) else 'NaN' end from @extschema@._pairs(a, b));
create function @extschema@.l1_distance(a @extschema@.sparsevec, b @extschema@.sparsevec) returns double precision language sql immutable strict parallel safe return (select coalesce(sum(abs(x - y)), 0) from @extschema@._pairs(a, b));
create function @extschema@.l2_norm(a @extschema@.sparsevec) returns double precision language sql immutable strict parallel safe return (select coalesce(sqrt(sum(x * x)), 0) from @extschema@._elements(a));
create function @extschema@.l2_normalize(a @extschema@.sparsevec) returns @extschema@.sparsevec language plpgsql immutable strict parallel safe set search_path = '' as $$
  declare
    norm double precision := @extschema@.l2_norm(a);
  begin
    return case when norm = 0 then a else @extschema@._sparsevec_join('{' || (select string_agg(i || ':' || (x / norm)::real, ',' order by i) from @extschema@._elements(a)) || '}/', @extschema@._dims(a)::text) end;
  end
$$;
-- As the dense vectors would compare.
create function @extschema@.sparsevec_cmp(a @extschema@.sparsevec, b @extschema@.sparsevec) returns integer language sql immutable strict parallel safe
  return coalesce((select sign(coalesce(p.x, 0) - coalesce(q.x, 0))::integer from @extschema@._elements(a) p full join @extschema@._elements(b) q on p.i = q.i
    where coalesce(p.x, 0) <> coalesce(q.x, 0) and coalesce(p.i, q.i) <= least(@extschema@._dims(a), @extschema@._dims(b)) order by coalesce(p.i, q.i) limit 1), sign(@extschema@._dims(a) - @extschema@._dims(b))::integer);
create function @extschema@._hash(a @extschema@.sparsevec) returns integer language sql immutable strict parallel safe return hashtext(@extschema@.sparsevec(a, -1, false)::text);

-- From one to the other.
create function @extschema@._to_sparsevec(elements real[], typmod integer) returns @extschema@.sparsevec language sql immutable strict parallel safe
  return @extschema@.sparsevec(@extschema@._sparsevec_join('{' || coalesce((select string_agg(i || ':' || x, ',' order by i) from unnest(elements) with ordinality as e(x, i) where x <> 0), '') || '}/', cardinality(elements)::text), typmod, false);
create function @extschema@._to_array(a @extschema@.sparsevec) returns real[] language plpgsql immutable strict parallel safe set search_path = '' as $$
  begin
    if @extschema@._dims(a) > 16000 then
      raise exception 'vector cannot have more than 16000 dimensions' using errcode = '54000';
    end if;
    return array(select coalesce(e.x, 0)::real from generate_series(1, @extschema@._dims(a)) n left join @extschema@._elements(a) e on e.i = n order by n);
  end
$$;
create function @extschema@.vector_to_halfvec(a @extschema@.vector, typmod integer, is_explicit boolean) returns @extschema@.halfvec language sql immutable strict parallel safe return @extschema@._halfvec(@extschema@._real(a), typmod);
create function @extschema@.halfvec_to_vector(a @extschema@.halfvec, typmod integer, is_explicit boolean) returns @extschema@.vector language sql immutable strict parallel safe return @extschema@._vector(@extschema@._real(a), typmod);
create function @extschema@.vector_to_sparsevec(a @extschema@.vector, typmod integer, is_explicit boolean) returns @extschema@.sparsevec language sql immutable strict parallel safe return @extschema@._to_sparsevec(@extschema@._real(a), typmod);
create function @extschema@.halfvec_to_sparsevec(a @extschema@.halfvec, typmod integer, is_explicit boolean) returns @extschema@.sparsevec language sql immutable strict parallel safe return @extschema@._to_sparsevec(@extschema@._real(a), typmod);
create function @extschema@.sparsevec_to_vector(a @extschema@.sparsevec, typmod integer, is_explicit boolean) returns @extschema@.vector language sql immutable strict parallel safe return @extschema@._vector(@extschema@._to_array(a), typmod);
create function @extschema@.sparsevec_to_halfvec(a @extschema@.sparsevec, typmod integer, is_explicit boolean) returns @extschema@.halfvec language sql immutable strict parallel safe return @extschema@._halfvec(@extschema@._to_array(a), typmod);
create cast (@extschema@.vector as @extschema@.halfvec) with function @extschema@.vector_to_halfvec(@extschema@.vector, integer, boolean) as assignment;
create cast (@extschema@.halfvec as @extschema@.vector) with function @extschema@.halfvec_to_vector(@extschema@.halfvec, integer, boolean) as implicit;
create cast (@extschema@.vector as @extschema@.sparsevec) with function @extschema@.vector_to_sparsevec(@extschema@.vector, integer, boolean) as implicit;
create cast (@extschema@.sparsevec as @extschema@.vector) with function @extschema@.sparsevec_to_vector(@extschema@.sparsevec, integer, boolean) as assignment;
create cast (@extschema@.halfvec as @extschema@.sparsevec) with function @extschema@.halfvec_to_sparsevec(@extschema@.halfvec, integer, boolean) as implicit;
create cast (@extschema@.sparsevec as @extschema@.halfvec) with function @extschema@.sparsevec_to_halfvec(@extschema@.sparsevec, integer, boolean) as assignment;

-- bit
create function @extschema@.hamming_distance(a bit, b bit) returns double precision language plpgsql immutable strict parallel safe set search_path = '' as $$
  begin
    if length(a) <> length(b) then
      raise exception 'different bit lengths % and %', length(a), length(b) using errcode = '22000';
    end if;
    return bit_count(a # b);
  end
$$;
create function @extschema@.jaccard_distance(a bit, b bit) returns double precision language plpgsql immutable strict parallel safe set search_path = '' as $$
  begin
    if length(a) <> length(b) then
      raise exception 'different bit lengths % and %', length(a), length(b) using errcode = '22000';
    end if;
    return case when bit_count(a & b) = 0 then 1 else 1 - bit_count(a & b)::double precision / bit_count(a | b) end;
  end
$$;
create function @extschema@._hash(a bit) returns integer language sql immutable strict parallel safe return hashtext(a::text);
create operator @extschema@.<~> (leftarg = bit, rightarg = bit, function = @extschema@.hamming_distance, commutator = operator(@extschema@.<~>));
create operator @extschema@.<%> (leftarg = bit, rightarg = bit, function = @extschema@.jaccard_distance, commutator = operator(@extschema@.<%>));

-- The access methods have the names that migrations say. Behind them stands PostgreSQL's hash index, which takes values of any size: it
-- answers whether two vectors are equal, and no ORDER BY ever uses it.
create access method hnsw type index handler hashhandler;
create access method ivfflat type index handler hashhandler;

do $make$
  declare
    type text;
    sign text[];
  begin
    foreach type in array array['vector', 'halfvec', 'sparsevec'] loop
      execute replace($def$
        create operator @extschema@.<-> (leftarg = @extschema@.TYPE, rightarg = @extschema@.TYPE, function = @extschema@.l2_distance, commutator = operator(@extschema@.<->));
        create operator @extschema@.<#> (leftarg = @extschema@.TYPE, rightarg = @extschema@.TYPE, function = @extschema@.TYPE_negative_inner_product, commutator = operator(@extschema@.<#>));
        create operator @extschema@.<=> (leftarg = @extschema@.TYPE, rightarg = @extschema@.TYPE, function = @extschema@.cosine_distance, commutator = operator(@extschema@.<=>));
        create operator @extschema@.<+> (leftarg = @extschema@.TYPE, rightarg = @extschema@.TYPE, function = @extschema@.l1_distance, commutator = operator(@extschema@.<+>));
      $def$, 'TYPE', type);
      foreach sign slice 1 in array array[array['lt', '<', '>', '>='], array['le', '<=', '>=', '>'], array['eq', '=', '=', '<>'], array['ne', '<>', '<>', '='], array['ge', '>=', '<=', '<'], array['gt', '>', '<', '<=']] loop
        execute format('create function @extschema@.%1$s_%2$s(a @extschema@.%1$s, b @extschema@.%1$s) returns boolean language sql immutable strict parallel safe return @extschema@.%1$s_cmp(a, b) %3$s 0;
          create operator @extschema@.%3$s (leftarg = @extschema@.%1$s, rightarg = @extschema@.%1$s, function = @extschema@.%1$s_%2$s, commutator = operator(@extschema@.%4$s), negator = operator(@extschema@.%5$s), restrict = %6$s, join = %7$s)',
          type, sign[1], sign[2], sign[3], sign[4],
          case sign[1] when 'eq' then 'eqsel' when 'ne' then 'neqsel' when 'lt' then 'scalarltsel' when 'le' then 'scalarlesel' when 'ge' then 'scalargesel' else 'scalargtsel' end,
          case sign[1] when 'eq' then 'eqjoinsel' when 'ne' then 'neqjoinsel' when 'lt' then 'scalarltjoinsel' when 'le' then 'scalarlejoinsel' when 'ge' then 'scalargejoinsel' else 'scalargtjoinsel' end);
      end loop;
      execute replace($def$
        create operator class @extschema@.TYPE_ops default for type @extschema@.TYPE using btree as operator 1 @extschema@.<, operator 2 @extschema@.<=, operator 3 @extschema@.=, operator 4 @extschema@.>=, operator 5 @extschema@.>,
          function 1 @extschema@.TYPE_cmp(@extschema@.TYPE, @extschema@.TYPE);
      $def$, 'TYPE', type);
    end loop;
    foreach type in array array['vector', 'halfvec'] loop
      execute replace($def$
        create operator @extschema@.+ (leftarg = @extschema@.TYPE, rightarg = @extschema@.TYPE, function = @extschema@.TYPE_add, commutator = operator(@extschema@.+));
        create operator @extschema@.- (leftarg = @extschema@.TYPE, rightarg = @extschema@.TYPE, function = @extschema@.TYPE_sub);
        create operator @extschema@.* (leftarg = @extschema@.TYPE, rightarg = @extschema@.TYPE, function = @extschema@.TYPE_mul, commutator = operator(@extschema@.*));
        create operator @extschema@.|| (leftarg = @extschema@.TYPE, rightarg = @extschema@.TYPE, function = @extschema@.TYPE_concat);
      $def$, 'TYPE', type);
    end loop;
    foreach sign slice 1 in array array[
      array['hnsw', 'vector', 'l2'], array['hnsw', 'vector', 'ip'], array['hnsw', 'vector', 'cosine'], array['hnsw', 'vector', 'l1'],
      array['hnsw', 'halfvec', 'l2'], array['hnsw', 'halfvec', 'ip'], array['hnsw', 'halfvec', 'cosine'], array['hnsw', 'halfvec', 'l1'],
      array['hnsw', 'sparsevec', 'l2'], array['hnsw', 'sparsevec', 'ip'], array['hnsw', 'sparsevec', 'cosine'], array['hnsw', 'sparsevec', 'l1'],
      array['ivfflat', 'vector', 'l2'], array['ivfflat', 'vector', 'ip'], array['ivfflat', 'vector', 'cosine'],
      array['ivfflat', 'halfvec', 'l2'], array['ivfflat', 'halfvec', 'ip'], array['ivfflat', 'halfvec', 'cosine']]
    loop
      execute format('create operator class @extschema@.%2$s_%3$s_ops %4$s for type @extschema@.%2$s using %1$s as operator 1 @extschema@.= (@extschema@.%2$s, @extschema@.%2$s), function 1 @extschema@._hash(@extschema@.%2$s)',
        sign[1], sign[2], sign[3], case when sign[1] = 'ivfflat' and sign[2] || sign[3] = 'vectorl2' then 'default' end);
    end loop;
    foreach sign slice 1 in array array[array['hnsw', 'bit_hamming_ops'], array['hnsw', 'bit_jaccard_ops'], array['ivfflat', 'bit_hamming_ops']] loop
      execute format('create operator class @extschema@.%2$s for type bit using %1$s as operator 1 = (bit, bit), function 1 @extschema@._hash(bit)', sign[1], sign[2]);
    end loop;
  end
$make$;

create function @extschema@._vector_index_notice() returns event_trigger language plpgsql set search_path = '' as $$
  declare
    made record;
  begin
    for made in
      select d.object_identity, a.amname from pg_event_trigger_ddl_commands() d join pg_class c on c.oid = d.objid join pg_am a on a.oid = c.relam
      where d.classid = 'pg_class'::regclass and a.amname in ('hnsw', 'ivfflat')
    loop
      raise notice 'vector: index % is made, and makes no search faster: distances are exact here, and every row is looked at', made.object_identity;
    end loop;
  end
$$;
create event trigger mainstay_vector_index on ddl_command_end when tag in ('CREATE INDEX') execute function @extschema@._vector_index_notice();

-- Everything to the role that can do nothing.
do $$
  declare
    member record;
  begin
    for member in
      select o.type, o.identity, t.typtype from pg_depend d
      join pg_extension e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass and e.extname = 'vector'
      cross join lateral pg_identify_object(d.classid, d.objid, 0) o left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
      where d.deptype = 'e' and o.type in ('function', 'aggregate', 'operator', 'operator class', 'operator family', 'type') and (t.oid is null or t.typelem = 0 or t.typcategory <> 'A')
    loop
      execute format('alter %s %s owner to mainstay_extensions', case when member.typtype = 'd' then 'domain' else member.type end, member.identity);
    end loop;
  end
$$;
