export { JobCancelled, WorkerStopping } from './attempt.ts';
export { BullQueues } from './bull-queues.ts';
export { Drowsiness, type DrowsinessTerms } from './drowsiness.ts';
export { JobEngine, type EngineTerms } from './engine.ts';
export type { Handler, Handlers, JobRun, Progress } from './job-run.ts';
export type { Log } from './log.ts';
export { QueueModule } from './queue.module.ts';
export { WakefulLoop, type LoopTerms } from './wakeful-loop.ts';
export { TryAgain, type TryAgainTerms } from './try-again.ts';
