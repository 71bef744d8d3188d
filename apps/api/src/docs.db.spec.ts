import { readFileSync } from 'node:fs';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeListener } from '@mainstay/persistence';
import { BatchService, RestService, SchemaKeeper, termsSource } from '@mainstay/rest';
import { makeTestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { BatchController, BatchFilter } from './batch.controller.ts';
import { makeHttpServer } from './http-server.ts';
import { RestController } from './rest.controller.ts';
import { RestFilter } from './rest.filter.ts';

/** Pages whose commands are run as they stand: ```sql prepares, ```sh asks, the next ```json is what the answer holds. */
describe.each(['batch.md', 'nested-writes.md', 'queues.md', 'vectors.md'])('the examples of docs/%s', (name) => {
  const blocks = Array.from(readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8').matchAll(/^```(sql|sh|json)\n(.*?)^```$/gms), ([, kind, text]) => ({ kind: kind!, text: text! }));
  let close: () => Promise<void>;
  let variables: Record<string, string>;

  beforeAll(async () => {
    const database = await makeTestDatabase();
    for (const { text } of blocks.filter(({ kind }) => kind === 'sql')) await database.admin.rows(text);
    const secrets = await makeSecrets(database.environment);
    const settings = readSettings({ ...database.environment, ...secrets, PGRST_DB_SCHEMAS: 'public,pgmq_public' });
    const keeper = new SchemaKeeper(database.as('authenticator'), makeListener(settings, 'authenticator'), termsSource(settings));
    await keeper.start();
    const rest = new RestService(database.as('authenticator'), keeper, 'anon', { keepsAnswers: true });
    const module = await Test.createTestingModule({
      imports: [AuthModule.with(settings)],
      controllers: [RestController, BatchController],
      providers: [RestFilter, BatchFilter, { provide: RestService, useValue: rest }, { provide: BatchService, useValue: new BatchService(rest, { maxEntries: 1000, maxBodyBytes: settings.maxBodyBytes }) }],
    }).compile();
    const app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
    await app.listen(0, '127.0.0.1');
    variables = { API: await app.getUrl(), KEY: secrets['ANON_KEY']!, SERVICE_KEY: secrets['SERVICE_ROLE_KEY']! };
    close = async () => {
      await app.close();
      await keeper.close();
      await database.close();
    };
  });
  afterAll(() => close());

  it('give what the page says', async () => {
    const asked = blocks.filter(({ kind }) => kind !== 'sql');
    expect(asked.length).toBeGreaterThan(3);
    for (let i = 0; i < asked.length; i += 2) {
      expect(asked.slice(i, i + 2).map(({ kind }) => kind)).toEqual(['sh', 'json']);
      expect(await run(asked[i]!.text, variables)).toMatchObject(JSON.parse(asked[i + 1]!.text) as object);
    }
  });
});

/** Sends what a curl command would. */
async function run(command: string, variables: Record<string, string>): Promise<unknown> {
  const words = Array.from(command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, single, double, bare]) => single ?? (double ?? bare!).replace(/\$(\w+)/g, (_, name: string) => variables[name]!));
  const after = (flag: string): string[] => words.flatMap((word, i) => (word === flag ? [words[i + 1]!] : []));
  const [body] = after('-d');
  const url = words.find((word) => word.startsWith('http'))!;
  const answer = await fetch(url, { method: after('-X')[0] ?? (body === undefined ? 'GET' : 'POST'), headers: Object.fromEntries(after('-H').map((header) => header.split(/: (.*)/s) as [string, string])), ...(body === undefined ? {} : { body }) });
  return answer.json();
}
