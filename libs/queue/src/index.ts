export type { Handler, Handlers, JobRun, Progress } from './job-run.ts';
