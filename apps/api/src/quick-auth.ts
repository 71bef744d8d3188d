import { EvenTime, Passwords } from '@mainstay/auth';
import type { TestingModuleBuilder } from '@nestjs/testing';

/** For specs that sign up and in hundreds of times: hashes that cost nothing, and answers that wait for no full step of time. */
export function quickAuth(builder: TestingModuleBuilder): TestingModuleBuilder {
  return builder
    .overrideProvider(Passwords).useValue(new Passwords(undefined, undefined, { memoryCost: 64, timeCost: 1, parallelism: 1 }))
    .overrideProvider(EvenTime).useValue(new EvenTime(0));
}
