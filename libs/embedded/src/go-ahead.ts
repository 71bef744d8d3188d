/** What a supervisor tells a process that it started early: the settings that were not known then. */
export interface GoAhead {
  readonly environment: Readonly<Record<string, string>>;
}

/** Set for a process that is to load its code at once and begin its work when it is told to. */
const waitVariable = 'MAINSTAY_WAITS';

/** The variables for a process that waits for its `GoAhead`. */
export function waiting(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...environment, [waitVariable]: '1' };
}

/**
 * Waits in a process that was started early until its supervisor has the servers up, and takes the settings that it sends.
 * By then the code is loaded, which takes longer than the servers do. Anybody else goes on at once.
 */
export async function goAhead(): Promise<void> {
  if (process.env[waitVariable] === undefined || !process.connected) return;
  await new Promise<void>((resolve) => {
    const leave = (): never => process.exit(0);
    process.once('disconnect', leave);
    process.once('message', ({ environment }: GoAhead) => {
      process.off('disconnect', leave);
      Object.assign(process.env, environment);
      resolve();
    });
  });
}
