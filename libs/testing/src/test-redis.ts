import { randomBytes } from 'node:crypto';
import { testSettings } from './servers.ts';

/** The run's Valkey, with a key prefix that no other spec file uses. */
export function testRedis(): { url: string; prefix: string } {
  const { redisUrl } = testSettings();
  return { url: redisUrl!, prefix: `{test-${randomBytes(6).toString('hex')}}` };
}
