import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/** What is refused of each view: there is nothing of it that could be changed so. */
const refused: readonly (readonly [view: string, what: string])[] = [
  ['jobs', 'delete'], ['requests', 'insert or delete'], ['schedule_runs', 'insert or update or delete'], ['exports', 'update or delete'],
];

/**
 * A view without a trigger is refused by PostgreSQL before it looks at privileges, as a state of the view's: over HTTP that is an error
 * of the server's. With one, whoever has no privilege is told that (42501), and whoever has is told here.
 */
export const readOnlyViews: HouseMigration = {
  name: '0075-read-only-views',
  sql: `
    grant create on schema mainstay, mainstay_internal to mainstay_viewer;
    ${asOwner('mainstay_viewer', `
      create function mainstay_internal.refuse_change() returns trigger
        language plpgsql set search_path = '' as $$
          begin
            raise insufficient_privilege using message = format('nothing can be changed in mainstay.%s by %s', tg_table_name, tg_op);
          end
        $$;
      revoke execute on function mainstay_internal.refuse_change from public;
      ${refused.map(([view, what]) => `create trigger refuse_change instead of ${what} on mainstay.${view} for each row execute function mainstay_internal.refuse_change();`).join('\n      ')}
    `)}
    revoke create on schema mainstay, mainstay_internal from mainstay_viewer;
  `,
};
