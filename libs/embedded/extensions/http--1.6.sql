create domain @extschema@.http_method as text;
create type @extschema@.http_header as (field varchar, value varchar);
create type @extschema@.http_request as (
  method @extschema@.http_method, uri varchar, headers @extschema@.http_header[], content_type varchar, content varchar);
create type @extschema@.http_response as (
  status integer, content_type varchar, headers @extschema@.http_header[], content varchar);

create function @extschema@.http_header(field varchar, value varchar) returns @extschema@.http_header language sql immutable set search_path = '' as $$
  select row(field, value)::@extschema@.http_header
$$;

create function @extschema@.urlencode(string varchar) returns text language sql immutable strict set search_path = '' as $$
  select coalesce(string_agg(case when chr(b) ~ '[A-Za-z0-9_.~-]' then chr(b) else '%' || lpad(upper(to_hex(b)), 2, '0') end, '' order by i), '')
  from (select i, get_byte(convert_to(string, 'utf8'), i) as b from generate_series(0, octet_length(string) - 1) as i) as bytes
$$;

create function @extschema@.http(request @extschema@.http_request) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_get(uri varchar) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_get: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_get(uri varchar, data jsonb) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_get: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_post(uri varchar, content varchar, content_type varchar) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_post: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_post(uri varchar, data jsonb) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_post: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_put(uri varchar, content varchar, content_type varchar) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_put: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_patch(uri varchar, content varchar, content_type varchar) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_patch: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_delete(uri varchar) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_delete: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_delete(uri varchar, content varchar, content_type varchar) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_delete: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_head(uri varchar) returns @extschema@.http_response language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_head: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_set_curlopt(curlopt varchar, value varchar) returns boolean language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_set_curlopt: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

create function @extschema@.http_reset_curlopt() returns boolean language plpgsql set search_path = '' as $$
  begin
    raise exception 'http_reset_curlopt: a request inside a transaction would hold its locks, use net.http_post' using errcode = '0A000';
  end
$$;

-- As an extension only:
alter domain @extschema@.http_method owner to mainstay_extensions;
alter type @extschema@.http_header owner to mainstay_extensions;
alter type @extschema@.http_request owner to mainstay_extensions;
alter type @extschema@.http_response owner to mainstay_extensions;
alter function @extschema@.http_header(varchar, varchar) owner to mainstay_extensions;
alter function @extschema@.urlencode(varchar) owner to mainstay_extensions;
alter function @extschema@.http(@extschema@.http_request) owner to mainstay_extensions;
alter function @extschema@.http_get(varchar) owner to mainstay_extensions;
alter function @extschema@.http_get(varchar, jsonb) owner to mainstay_extensions;
alter function @extschema@.http_post(varchar, varchar, varchar) owner to mainstay_extensions;
alter function @extschema@.http_post(varchar, jsonb) owner to mainstay_extensions;
alter function @extschema@.http_put(varchar, varchar, varchar) owner to mainstay_extensions;
alter function @extschema@.http_patch(varchar, varchar, varchar) owner to mainstay_extensions;
alter function @extschema@.http_delete(varchar) owner to mainstay_extensions;
alter function @extschema@.http_delete(varchar, varchar, varchar) owner to mainstay_extensions;
alter function @extschema@.http_head(varchar) owner to mainstay_extensions;
alter function @extschema@.http_set_curlopt(varchar, varchar) owner to mainstay_extensions;
alter function @extschema@.http_reset_curlopt() owner to mainstay_extensions;
grant execute on function
  @extschema@.http_header(varchar, varchar),
  @extschema@.urlencode(varchar),
  @extschema@.http(@extschema@.http_request),
  @extschema@.http_get(varchar),
  @extschema@.http_get(varchar, jsonb),
  @extschema@.http_post(varchar, varchar, varchar),
  @extschema@.http_post(varchar, jsonb),
  @extschema@.http_put(varchar, varchar, varchar),
  @extschema@.http_patch(varchar, varchar, varchar),
  @extschema@.http_delete(varchar),
  @extschema@.http_delete(varchar, varchar, varchar),
  @extschema@.http_head(varchar),
  @extschema@.http_set_curlopt(varchar, varchar),
  @extschema@.http_reset_curlopt()
  to public;
