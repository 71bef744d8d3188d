import { Fault } from '@mainstay/domain';
import { ConnectionLost, DatabaseError, PoolTimeout } from '@mainstay/persistence';
import { BadRequestException, Controller, Get, Param, UseFilters } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SurfaceFilter } from './surface.filter.ts';

const thrown: Record<string, unknown> = {
  fault: new Fault('no_such_thing', { status: 404, message: 'There is no such thing' }, { details: 'x', hint: 'look elsewhere', headers: { 'retry-after': '7' } }),
  bug: new Error('secret: select * from passwords'),
  text: 'secret',
  nothing: undefined,
  away: new ConnectionLost(new Error('secret host'), false),
  unsure: new ConnectionLost(new Error('secret host'), true),
  crowd: new PoolTimeout(10),
  locked: Object.assign(new DatabaseError('secret relation', 1, 'error'), { code: '55P03' }),
  slow: Object.assign(new DatabaseError('secret statement', 1, 'error'), { code: '57014' }),
  refused: Object.assign(new DatabaseError('secret table', 1, 'error'), { code: '42501' }),
  nest: new BadRequestException('The header is malformed'),
  fastify: Object.assign(new Error('Request body is too large'), { statusCode: 413 }),
};

@Controller()
@UseFilters(SurfaceFilter)
class Thrower {
  @Get(':what')
  throwIt(@Param('what') what: string): never {
    throw thrown[what];
  }
}

let app: NestFastifyApplication;

beforeAll(async () => {
  const module = await Test.createTestingModule({ controllers: [Thrower], providers: [SurfaceFilter] }).compile();
  app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});
afterAll(() => app.close());

describe('an answer of our own surfaces', () => {
  it.each([
    ['fault', 404, 'no_such_thing'],
    ['away', 503, 'database_unreachable'],
    ['unsure', 503, 'outcome_unknown'],
    ['crowd', 503, 'too_busy'],
    ['locked', 503, 'row_is_busy'],
    ['slow', 500, 'took_too_long'],
    ['nest', 400, 'request_not_valid'],
    ['fastify', 413, 'request_not_valid'],
    ['bug', 500, 'unexpected'],
    ['text', 500, 'unexpected'],
    ['nothing', 500, 'unexpected'],
    ['refused', 500, 'unexpected'],
  ])('to %s is %i %s, and tells no internals', async (what, status, code) => {
    const answer = await app.inject({ url: `/${what}` });
    expect(answer.statusCode).toBe(status);
    expect(Object.keys(answer.json())).toEqual(['code', 'message', 'details', 'hint']);
    expect(answer.json()).toMatchObject({ code });
    expect(answer.body).not.toContain('secret');
  });

  it('carries the fault’s words and headers', async () => {
    const answer = await app.inject({ url: '/fault' });
    expect(answer.json()).toEqual({ code: 'no_such_thing', message: 'There is no such thing', details: 'x', hint: 'look elsewhere' });
    expect(answer.headers['retry-after']).toBe('7');
  });

  it('to a bug names the entry of the log, and nothing else', async () => {
    const { details } = (await app.inject({ url: '/bug' })).json<{ details: { id: string } }>();
    expect(Object.keys(details)).toEqual(['id']);
    expect(details.id).toMatch(/^[0-9a-f-]{36}$/);
  });
});
