import type { HouseMigration } from './house-migration.ts';

/**
 * Mails and text messages. Whoever needs one writes it in the transaction that needs it, as `supabase_auth_admin`, who may do
 * nothing here but that: it is either kept for the mailbox, or a job takes it to an SMTP server.
 */
export const messageTables: HouseMigration = {
  name: '0040-messages',
  sql: `
    create table mainstay_internal.messages (
      id uuid primary key default mainstay_internal.uuid_v7(),
      channel text not null check (channel in ('email', 'sms', 'whatsapp')),
      -- What it is about: 'confirmation', 'recovery', ...
      kind text not null,
      recipient text not null,
      subject text not null,
      -- What is said is forgotten as soon as it has been sent.
      body_text text not null,
      body_html text,
      code text,
      link text,
      state text not null check (state in ('kept', 'queued', 'sent')),
      created_at timestamptz not null default clock_timestamp(),
      sent_at timestamptz
    );
    create index messages_recipient on mainstay_internal.messages (recipient, id);

    create function mainstay_internal.write_message(channel text, kind text, recipient text, subject text, body_text text, body_html text, code text, link text,
      queue text default null, attempts integer default 1) returns uuid
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          made uuid;
        begin
          insert into mainstay_internal.messages (channel, kind, recipient, subject, body_text, body_html, code, link, state)
          values (write_message.channel, write_message.kind, write_message.recipient, write_message.subject, write_message.body_text, write_message.body_html,
            write_message.code, write_message.link, case when write_message.queue is null then 'kept' else 'queued' end)
          returning id into made;
          if write_message.queue is not null then
            perform mainstay_internal.enqueue_job(kind => 'send-message', queue => write_message.queue, payload => jsonb_build_object('messageId', made),
              owner => null, role => 'service_role', claims => '{"role": "service_role"}', unique_key => made::text, max_attempts => write_message.attempts);
          end if;
          return made;
        end
      $$;
    revoke execute on function mainstay_internal.write_message from public;
    grant usage on schema mainstay_internal to supabase_auth_admin;
    grant execute on function mainstay_internal.write_message to supabase_auth_admin;

    grant select, delete on mainstay_internal.messages to mainstay_api;
    grant select, update, delete on mainstay_internal.messages to mainstay_worker;
    alter table mainstay_internal.messages enable row level security;
    -- Who holds the service key, and nobody else: no row belongs to a user.
    create policy by_service_key on mainstay_internal.messages to mainstay_api using (mainstay_internal.owns(null));
    create policy all_of_them on mainstay_internal.messages to mainstay_worker using (true) with check (true);
  `,
};
