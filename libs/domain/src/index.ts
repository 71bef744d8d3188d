export { closest } from './closest.ts';
export { Fault, faultsOf, type Catalogue, type FaultKind, type FaultMore } from './fault.ts';
export { isService, makeCaller, ownerOf, serviceRole, type Caller, type CallerKind, type Claims } from './caller.ts';
export { isOpen, jobStates, openStates, type JobState } from './job-states.ts';
export { CallFunction, ExportRows, ImportRows, isJobKind, jobs, Ping, queues, RunCommand, SweepOver, type Contract, type JobKind, type PayloadOf, type QueueName } from './jobs.ts';
