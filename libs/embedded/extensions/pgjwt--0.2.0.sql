create function @extschema@.url_encode(data bytea) returns text language sql immutable set search_path = '' as $$
  select translate(encode(data, 'base64'), E'+/=\n', '-_')
$$;

create function @extschema@.url_decode(data text) returns bytea language sql immutable set search_path = '' as $$
  select decode(rpad(translate(data, '-_', '+/'), (length(data) + 3) / 4 * 4, '='), 'base64')
$$;

create function @extschema@.algorithm_sign(signables text, secret text, algorithm text) returns text language plpgsql immutable set search_path = '' as $$
  declare
    hash text := case algorithm when 'HS256' then 'sha256' when 'HS384' then 'sha384' when 'HS512' then 'sha512' end;
  begin
    if hash is null then
      raise exception 'unknown algorithm "%"', algorithm using errcode = '22023', hint = 'HS256, HS384 and HS512 are known.';
    end if;
    return @extschema@.url_encode(@extschema:pgcrypto@.hmac(signables, secret, hash));
  end
$$;

create function @extschema@.sign(payload json, secret text, algorithm text default 'HS256') returns text language sql immutable set search_path = '' as $$
  with parts as (
    select @extschema@.url_encode(convert_to('{"alg":"' || algorithm || '","typ":"JWT"}', 'utf8'))
      || '.' || @extschema@.url_encode(convert_to(payload::text, 'utf8')) as signables
  )
  select signables || '.' || @extschema@.algorithm_sign(signables, secret, algorithm) from parts
$$;

create function @extschema@.try_cast_double(inp text) returns double precision language plpgsql immutable set search_path = '' as $$
  begin
    return inp::double precision;
  exception when others then
    return null;
  end
$$;

create function @extschema@.verify(token text, secret text, algorithm text default 'HS256')
returns table (header json, payload json, valid boolean) language sql stable set search_path = '' as $$
  with parts as (
    select split_part(token, '.', 1) as head, split_part(token, '.', 2) as body, split_part(token, '.', 3) as signature
  ), decoded as (
    select convert_from(@extschema@.url_decode(head), 'utf8')::json as header, convert_from(@extschema@.url_decode(body), 'utf8')::json as payload,
      signature = @extschema@.algorithm_sign(head || '.' || body, secret, algorithm) as is_signed
    from parts
  )
  select d.header, d.payload,
    d.is_signed and tstzrange(
      to_timestamp(@extschema@.try_cast_double(d.payload ->> 'nbf')),
      to_timestamp(@extschema@.try_cast_double(d.payload ->> 'exp'))) @> current_timestamp
  from decoded d
$$;

-- As an extension only:
alter function @extschema@.url_encode(bytea) owner to mainstay_extensions;
alter function @extschema@.url_decode(text) owner to mainstay_extensions;
alter function @extschema@.algorithm_sign(text, text, text) owner to mainstay_extensions;
alter function @extschema@.sign(json, text, text) owner to mainstay_extensions;
alter function @extschema@.try_cast_double(text) owner to mainstay_extensions;
alter function @extschema@.verify(text, text, text) owner to mainstay_extensions;
grant execute on function @extschema@.url_encode(bytea), @extschema@.url_decode(text), @extschema@.algorithm_sign(text, text, text),
  @extschema@.sign(json, text, text), @extschema@.try_cast_double(text), @extschema@.verify(text, text, text) to public;
