import { AuthModule, CallerFault, makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import type { Caller } from '@mainstay/domain';
import { Catch, Controller, Get, UseFilters, UseGuards, type ArgumentsHost } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyReply } from 'fastify';
import { SignJWT } from 'jose';
import { Asker, CallerGuard, KeyGuard } from './caller.guard.ts';

@Catch(CallerFault)
class PlainFilter {
  catch(fault: CallerFault, host: ArgumentsHost): void {
    void host.switchToHttp().getResponse<FastifyReply>().status(fault.status).headers(fault.headers).send({ reason: fault.reason });
  }
}

@Controller()
@UseFilters(PlainFilter)
class Doors {
  @Get('asked')
  @UseGuards(CallerGuard)
  asked(@Asker() caller: Caller): object {
    return { kind: caller.kind, role: caller.role, subject: caller.subject };
  }

  @Get('open')
  @UseGuards(KeyGuard)
  open(): object {
    return { open: true };
  }
}

let app: NestFastifyApplication;
let secrets: Record<string, string>;
const sub = '0c6c7c2e-7f0a-4f64-9d37-6f2c8ad1b0aa';

beforeAll(async () => {
  secrets = await makeSecrets({});
  const module = await Test.createTestingModule({ imports: [AuthModule.with(readSettings({ ...secrets, DATABASE_URL: 'postgresql://127.0.0.1:1/none' }))], controllers: [Doors] }).compile();
  app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});

afterAll(() => app.close());

async function get(url: string, headers: Record<string, string>): Promise<{ status: number; body: unknown; challenge: unknown }> {
  const answer = await app.inject({ method: 'GET', url, headers });
  return { status: answer.statusCode, body: answer.json(), challenge: answer.headers['www-authenticate'] };
}

const userToken = (exp = '1h') => new SignJWT({ sub, role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(exp).sign(Buffer.from(secrets['JWT_SECRET']!));

describe('the door of a surface', () => {
  it('lets a guest in as anon', async () => {
    expect(await get('/asked', {})).toMatchObject({ status: 200, body: { kind: 'anonymous', role: 'anon', subject: null } });
  });

  it('knows a user at the first request and at the next', async () => {
    const authorization = `Bearer ${await userToken()}`;
    for (let i = 0; i < 2; i += 1) {
      expect(await get('/asked', { authorization, apikey: secrets['ANON_KEY']! })).toMatchObject({ status: 200, body: { kind: 'user', subject: sub } });
    }
  });

  it('takes a key from the query where a browser can set no header', async () => {
    expect(await get(`/asked?apikey=${secrets['SUPABASE_SECRET_KEY']}`, {})).toMatchObject({ status: 200, body: { kind: 'key', role: 'service_role' } });
  });

  it('keeps 50 callers apart who come at once', async () => {
    const keys = [secrets['ANON_KEY']!, secrets['SUPABASE_SECRET_KEY']!];
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => get('/asked', { apikey: keys[i % 2]! })));
    answers.forEach(({ body }, i) => expect(body).toMatchObject({ role: i % 2 === 0 ? 'anon' : 'service_role' }));
  });

  it.each([
    ['a worn-out token', async () => ({ authorization: `Bearer ${await userToken('-1h')}` }), 'claims'],
    ['an empty bearer', async () => ({ authorization: 'Bearer ' }), 'empty'],
    ['a key of nobody', async () => ({ apikey: 'sb_secret_nobody' }), 'key'],
    ['a user with a key of nobody', async () => ({ apikey: 'nobody', authorization: `Bearer ${await userToken()}` }), 'key'],
  ])('refuses %s with a challenge', async (_name, headers, reason) => {
    expect(await get('/asked', await headers())).toMatchObject({ status: 401, body: { reason }, challenge: expect.stringMatching(/^Bearer error="invalid_token"/) });
  });
});

describe('the door of what everybody may ask', () => {
  it('looks at the key and not at the token', async () => {
    const authorization = `Bearer ${await userToken('-1h')}`;
    expect(await get('/open', { authorization })).toMatchObject({ status: 200 });
    expect(await get('/open', { authorization, apikey: secrets['SUPABASE_PUBLISHABLE_KEY']! })).toMatchObject({ status: 200 });
    expect(await get('/open', { authorization, apikey: 'sb_publishable_nobody' })).toMatchObject({ status: 401, body: { reason: 'key' } });
  });
});
