import { Webhook } from 'standardwebhooks';
import { retryAfterSecondsOf } from './retry-after.ts';
import { isSignedWebhook, isWebhookSecret, makeWebhookSecret, signWebhook } from './sign-webhook.ts';

const now = Math.floor(Date.now() / 1000);
const [older, newer] = [makeWebhookSecret(), makeWebhookSecret()];
const message = { id: 'msg_1', timestampSeconds: now, body: '{"name":"grüß"}', secrets: [newer, older] };

describe('a signed message', () => {
  it('is known by whoever holds one of its secrets, as Standard Webhooks’ own library has it', () => {
    const headers = signWebhook(message);
    for (const secret of [older, newer]) expect(new Webhook(secret).verify(message.body, headers)).toEqual({ name: 'grüß' });
    expect(() => new Webhook(makeWebhookSecret()).verify(message.body, headers)).toThrow('No matching signature found');
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
  });

  it('signs as that library does', () => {
    expect(signWebhook({ ...message, secrets: [older] })['webhook-signature']).toBe(new Webhook(older).sign('msg_1', new Date(now * 1000), message.body));
  });

  it('signs the bytes of a body', () => {
    expect(signWebhook({ ...message, body: Buffer.from(message.body) })).toEqual(signWebhook(message));
  });

  it.each([
    ['as it was sent', {}, true],
    ['with another body', { body: '{}' }, false],
    ['with another id', { headers: { 'webhook-id': 'msg_2' } }, false],
    ['with another time', { headers: { 'webhook-timestamp': String(now + 1) } }, false],
    ['six minutes later', { nowSeconds: now + 360 }, false],
    ['six minutes early', { nowSeconds: now - 360 }, false],
    ['four minutes later', { nowSeconds: now + 240 }, true],
    ['without a signature', { headers: { 'webhook-signature': undefined } }, false],
    ['with a signature of another kind', { headers: { 'webhook-signature': 'v2,abc' } }, false],
    ['by another secret', { secrets: [makeWebhookSecret()] }, false],
    ['by no secret', { secrets: [] }, false],
  ])('%s: %s', (_what, { body = message.body, headers = {}, secrets = [older], nowSeconds = now }: any, isRight) => {
    expect(isSignedWebhook(body, { ...signWebhook(message), ...headers }, secrets, nowSeconds)).toBe(isRight);
  });

  it.each([[makeWebhookSecret(), true], ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', true], ['whsec_c2hvcnQ=', false], ['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', false], [`whsec_${Buffer.alloc(65).toString('base64')}`, false], ['whsec_!', false]])('%s is a secret: %s', (text, isSecret) => {
    expect(isWebhookSecret(text)).toBe(isSecret);
  });
});

describe('Retry-After', () => {
  it.each([
    ['120', 120], ['0', 0], [' 5 ', 5], [undefined, null], ['', null], ['-1', null], ['1.5', null], ['soon', null], ['99999999999', null],
    ['Tue, 24 Nov 2026 12:00:30 GMT', 30], ['Tue, 24 Nov 2026 11:00:00 GMT', 0], ['2026-11-24T12:00:30Z', null], ['Tue, 24 Foo 2026 12:00:30 GMT', null],
  ])('%s asks for %s seconds', (text, seconds) => {
    expect(retryAfterSecondsOf(text, Date.parse('2026-11-24T12:00:00Z'))).toBe(seconds);
  });
});
