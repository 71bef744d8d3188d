/** A project's files cannot be applied; the message says where and why, ready to be printed. */
export class ProjectFault extends Error {}
