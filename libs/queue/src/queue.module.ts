import type { Settings } from '@mainstay/config';
import { queues } from '@mainstay/domain';
import { BullModule, getQueueToken } from '@nestjs/bull';
import { Module, type DynamicModule } from '@nestjs/common';
import type Bull from 'bull';
import { bullOptions } from './bull-options.ts';
import { BullQueues } from './bull-queues.ts';

/** Gives out `BullQueues`: one Bull queue for each kind of work that may wait together. */
@Module({})
export class QueueModule {
  static with(settings: Settings): DynamicModule {
    const options = bullOptions(settings);
    const names = Object.keys(queues);
    return {
      module: QueueModule,
      imports: [BullModule.forRoot(options), BullModule.registerQueue(...names.map((name) => ({ name })))],
      providers: [{ provide: BullQueues, inject: names.map((name) => getQueueToken(name)), useFactory: (...made: Bull.Queue[]) => new BullQueues(options, made) }],
      exports: [BullQueues],
    };
  }
}
