import { messageKind, messagesPath, recipientInWords, safeLink, titleOf } from './describe-message.ts';

describe('a message, described', () => {
  it('has its kind in words', () => expect(['magic_link', 'code', 'new_kind'].map(messageKind)).toEqual(['Sign-in link', 'Code', 'New kind']));

  it('names whom it is for', () => {
    expect(recipientInWords({ channel: 'email', recipient: 'ada@example.com' })).toBe('ada@example.com');
    expect(recipientInWords({ channel: 'sms', recipient: '4915112345678' })).toBe('+4915112345678');
  });

  it.each([
    ['a subject', { subject: ' Your Magic Link ', text: 'x' }, 'Your Magic Link'],
    ['how a text begins', { subject: '', text: 'Your code\nis 123456' }, 'Your code is 123456'],
    ['no more than a line', { subject: 'a'.repeat(200), text: '' }, `${'a'.repeat(89)}…`],
  ])('is known by %s', (_what, message, title) => expect(titleOf(message)).toBe(title));

  it.each([
    ['https://example.com/verify?token=x', 'https://example.com/verify?token=x'],
    ['javascript:alert(1)', null],
    ['not a link', null],
    [null, null],
  ])('lets the link %s be followed: %s', (link, safe) => expect(safeLink(link)).toBe(safe));

  it('is asked for by recipient and page', () => {
    expect(messagesPath('', 50)).toBe('/mailbox/v1/messages?limit=50');
    expect(messagesPath('a+b@example.com', 50, '7')).toBe('/mailbox/v1/messages?limit=50&to=a%2Bb%40example.com&before=7');
  });
});
