import { readTraceparent, writeTraceparent } from './traceparent.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';

describe('traceparent', () => {
  it.each([
    ['sampled', `00-${trace}-${span}-01`, true],
    ['not sampled', `00-${trace}-${span}-00`, false],
    ['with flags of the future', `00-${trace}-${span}-03`, true],
    ['of a version of the future', `cc-${trace}-${span}-01-what-comes`, true],
  ])('%s is read', (_what, text, isSampled) => {
    expect(readTraceparent(text)).toEqual({ traceId: trace, spanId: span, isSampled });
  });

  it.each([
    ['nothing', undefined],
    ['no form', 'abc'],
    ['the forbidden version', `ff-${trace}-${span}-01`],
    ['more than its version has', `00-${trace}-${span}-01-more`],
    ['no trace', `00-${'0'.repeat(32)}-${span}-01`],
    ['no span', `00-${trace}-${'0'.repeat(16)}-01`],
    ['capital letters', `00-${trace.toUpperCase()}-${span}-01`],
  ])('%s is none', (_what, text) => {
    expect(readTraceparent(text)).toBeNull();
  });

  it('is written as it is read', () => {
    expect(writeTraceparent(readTraceparent(`00-${trace}-${span}-01`)!)).toBe(`00-${trace}-${span}-01`);
  });
});
