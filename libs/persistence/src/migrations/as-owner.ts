/** Runs statements as the role that shall own what they make; what follows runs as `supabase_admin` again. */
export function asOwner(role: string, sql: string): string {
  return `set local role ${role};\n${sql.trim().replace(/;$/, '')};\nset local role supabase_admin;`;
}
