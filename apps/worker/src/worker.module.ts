import type { Settings } from '@mainstay/config';
import { BullQueues, QueueModule, type Log } from '@mainstay/queue';
import { Module, type DynamicModule } from '@nestjs/common';
import { Worker } from './worker.ts';

/** The job edge: Bull's queues on the one side, the handler table on the other. */
@Module({})
export class WorkerModule {
  static with(settings: Settings, log: Log): DynamicModule {
    return {
      module: WorkerModule,
      imports: [QueueModule.with(settings)],
      providers: [{ provide: Worker, inject: [BullQueues], useFactory: (bull: BullQueues) => new Worker(settings, bull, log) }],
    };
  }
}
