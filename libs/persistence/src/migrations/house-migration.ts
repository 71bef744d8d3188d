/**
 * One step of our own schema: SQL that MikroORM runs once, in a transaction, as `supabase_admin`.
 * A plain value and not a class, so that only a start with something to migrate loads the ORM.
 */
export interface HouseMigration {
  /** `NNNN-what-it-makes`, like its file. It is recorded: never rename one that has been released. */
  readonly name: string;
  /** Statements, separated by semicolons. Once released it is never changed; the next step corrects it. */
  readonly sql: string;
}
