/** Under this token Nest hands out the settings that `main.ts` read. */
export const settingsToken = Symbol('settings');
