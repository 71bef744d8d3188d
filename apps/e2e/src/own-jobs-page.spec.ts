import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@supabase/supabase-js';
import { runSql } from './sql.ts';
import { startStack, type Stack } from './stack.ts';
import { untilReady } from './under-fire.ts';

/** The page's examples in their order: ```sql is run, ```sh and ```js ask, and the ```json after them is what the answer holds. */
describe('docs/own-jobs.md', () => {
  const text = readFileSync(new URL('../../../docs/own-jobs.md', import.meta.url), 'utf8');
  const blocks = Array.from(text.matchAll(/^```(sql|sh|js|json)\n(.*?)^```$/gms), ([, kind, code]) => ({ kind: kind!, code: code! }));
  let stack: Stack;

  beforeAll(async () => {
    stack = await startStack();
    await untilReady(stack);
  });
  afterAll(() => stack.stop());

  it('does what it says', async () => {
    expect(blocks.map(({ kind }) => kind)).toEqual(['sql', 'sql', 'sh', 'json', 'sh', 'json', 'js', 'json', 'sh', 'json']);
    let answer: unknown;
    for (const { kind, code } of blocks) {
      if (kind === 'sql') await runSql(stack.dbUrl, code);
      else if (kind === 'sh') answer = await curl(code);
      else if (kind === 'js') answer = await script(code);
      else expect(answer).toMatchObject(JSON.parse(code) as object);
    }
    // What was asked for is done: by postgres, by HTTP and by supabase-js.
    const sent = async (): Promise<unknown[]> => (await runSql(stack.dbUrl, `select recipient from public.letters order by recipient`)).map(({ recipient }) => recipient);
    for (const end = Date.now() + 20_000; (await sent()).length < 3 && Date.now() < end; ) await sleep(50);
    expect(await sent()).toEqual(['Ada', 'Cleo', 'Dora']);
    const [job] = await runSql(stack.dbUrl, `select state, result, progress from mainstay.jobs where arguments ->> 'recipient' = 'Ada'`);
    expect(job).toEqual({ state: 'done', result: { sent: 1 }, progress: { done: 1, total: 1, note: 'Ada' } });
  }, 60_000);

  /** Sends what a curl command would. */
  async function curl(command: string): Promise<unknown> {
    const variables: Record<string, string> = { API: stack.url, SERVICE_KEY: stack.secretKey };
    const words = Array.from(command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, single, double, bare]) => single ?? (double ?? bare!).replace(/\$(\w+)/g, (_, name: string) => variables[name]!));
    const after = (flag: string): string[] => words.flatMap((word, i) => (word === flag ? [words[i + 1]!] : []));
    const [body] = after('-d');
    const answer = await fetch(words.find((word) => word.startsWith('http'))!, {
      method: after('-X')[0] ?? 'GET',
      headers: Object.fromEntries(after('-H').map((header) => header.split(/: (.*)/s) as [string, string])),
      ...(body === undefined ? {} : { body }),
    });
    return answer.json();
  }

  function script(code: string): Promise<unknown> {
    const client = createClient(stack.url, stack.secretKey);
    return (new Function('supabase', `return (async () => {${code}})()`) as (supabase: unknown) => Promise<unknown>)(client);
  }
});
