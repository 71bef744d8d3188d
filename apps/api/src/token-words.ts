import type { CallerFault } from '@mainstay/auth';

/** What GoTrue's clients read of a token that does not hold, by our own words for it. */
const words: readonly (readonly [ours: RegExp, theirs: string])[] = [
  [/^Expected 3 parts/, 'token is malformed: token contains an invalid number of segments'],
  [/^JWT cryptographic operation failed/, 'token is malformed: could not JSON decode header'],
  [/not 'none'$/, 'token signature is invalid: signing method none is invalid'],
  [/No suitable key was found/, 'token is unverifiable: error while executing keyfunc: unrecognized JWT kid or algorithm'],
  [/None of the keys/, 'token signature is invalid: signature is invalid'],
  [/^Parsing claims failed/, 'token is malformed: could not JSON decode claim'],
  [/^JWT expired/, 'token has invalid claims: token is expired'],
  [/^JWT not yet valid/, 'token has invalid claims: token is not valid yet'],
  [/^JWT issued at future/, 'token has invalid claims: token used before issued'],
  [/^JWT not in audience/, 'token has invalid claims: token has invalid audience'],
];

/** A refused token in the words of GoTrue's JWT library, which some clients look for. */
export function tokenWords({ message, details }: CallerFault): string {
  const ours = typeof details === 'string' ? details : message;
  return words.find(([form]) => form.test(ours))?.[1] ?? message;
}
