export { importFault, importFaults } from './import-faults.ts';
export { ImportsService, type ImportLimits, type ImportQuery, type Upload } from './imports.service.ts';
export type { ShownImport } from './show-import.ts';
export { rejectFormatOf, writeRejects, type RejectFormat } from './write-rejects.ts';
export { jobFault, jobFaults } from './job-faults.ts';
export { FunctionCaller, functionFaults } from './functions/function-caller.ts';
export { JobsService, type JobQuery } from './jobs.service.ts';
