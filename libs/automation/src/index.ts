export { jobFault, jobFaults } from './job-faults.ts';
export { JobsService, type JobQuery } from './jobs.service.ts';
