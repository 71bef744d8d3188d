import { jest } from '@jest/globals';

// A journey starts whole stacks; on a busy machine one start may take as long as all of its specs.
jest.setTimeout(120_000);
