import type { User } from '../contracts.ts';
import { Tag } from '../ui/tag.tsx';
import { type Standing, standingOf } from './describe-user.ts';

const looks: Readonly<Record<Standing, { readonly tone?: 'good' | 'warn' | 'bad'; readonly meaning: string }>> = {
  confirmed: { tone: 'good', meaning: 'an address or number was shown to be theirs' },
  'not confirmed': { tone: 'warn', meaning: 'signed up, and has not yet followed the link or entered the code' },
  invited: { tone: 'warn', meaning: 'was invited, and has not yet followed the link' },
  anonymous: { meaning: 'has an account without an address' },
  banned: { tone: 'bad', meaning: 'cannot sign in for now' },
  deleted: { meaning: 'only the row is left, for what refers to it' },
};

/** How it stands with an account. */
export function StandingTag({ user, now }: { user: User; now: number }) {
  const standing = standingOf(user, now);
  const { tone, meaning } = looks[standing];
  return <Tag {...(tone === undefined ? {} : { tone })} title={meaning}>{standing}</Tag>;
}
