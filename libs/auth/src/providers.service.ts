import { createHmac, hkdfSync, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { beginOutwardFlow, endFlow, referrerOf, takeOutwardFlow, type Account, type Accounts, type Device, type OpenAccounts, type OutwardFlow } from '@mainstay/persistence';
import { audit } from './audit.ts';
import { fault } from './faults.ts';
import { parseChallenge, type FlowStates } from './flow-states.ts';
import type { IdTokens, IdTokenSignIn } from './id-tokens.ts';
import type { Limits } from './limits.ts';
import { OAuthFault } from './oauth-fault.ts';
import type { Arrival, OutsideAccounts } from './outside-accounts.ts';
import type { Outcome, ProviderClients, Ties } from './provider-clients.ts';
import type { OpenSession, SessionAnswer, Sessions, SignedIn } from './sessions.service.ts';

/** What an application asks when it sends somebody to another provider. */
export interface OutwardRequest {
  readonly provider: string;
  readonly scopes: string;
  /** Where they come back to; already found allowed. */
  readonly redirectTo: string;
  readonly codeChallenge: string;
  readonly codeChallengeMethod: string;
  /** What else goes with the request, such as `prompt`. */
  readonly params: Readonly<Record<string, string>>;
}

/** Where to send them, and what their browser keeps until they come back. */
export interface Outward {
  readonly url: string;
  readonly cookie: { readonly name: string; readonly value: string; readonly path: string; readonly isSecure: boolean; readonly isForForm: boolean; readonly maxAgeSeconds: number } | null;
}

/** The browser in which somebody comes back. */
export interface ReturningBrowser {
  readonly cookies: Readonly<Record<string, string>>;
  /** A person's browser that follows a link, by its own word (`Sec-Fetch-Mode`); nothing else sends it. */
  readonly isNavigation: boolean;
}

/** How a sign-in at another provider ends, and where the application waits for it. */
export type ReturnEnd = { readonly target: string; readonly isPkce: boolean } & (
  | { readonly kind: 'session'; readonly session: SessionAnswer; readonly providerToken: string; readonly providerRefreshToken: string | null }
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'failed'; readonly error: unknown }
);

type ProviderSettings = Pick<Settings, 'secret' | 'siteUrl' | 'flowSeconds' | 'manualLinkingEnabled'>;

/** How a flow began: in a browser that keeps our cookie, in something else, or by a request of a page for whoever is signed in. */
type Beginning = 'browser' | 'other' | 'linking';
const marks: Readonly<Record<Beginning, string>> = { browser: 'b', other: 'o', linking: 'l' };

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Sign-in by other providers, and linking them to an account. */
export class Providers {
  private readonly key: Buffer;

  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly flows: FlowStates,
    private readonly limits: Limits,
    private readonly clients: ProviderClients,
    private readonly idTokens: IdTokens,
    private readonly outside: OutsideAccounts,
    private readonly settings: ProviderSettings,
  ) {
    this.key = Buffer.from(hkdfSync('sha256', settings.secret ?? '', '', 'mainstay provider flows', 32));
  }

  /** Begins a sign-in. @param isNavigation whether a browser asks, which then keeps a cookie that its return must show */
  async begin(request: OutwardRequest, isNavigation: boolean, device: Device): Promise<Outward> {
    await this.limits.request('token', device);
    return this.beginAs(request, isNavigation ? 'browser' : 'other', null);
  }

  /** Begins linking. The page asks us by a request of its own, so no cookie can be left with the browser. */
  async beginLinking({ account }: SignedIn, request: OutwardRequest): Promise<Outward> {
    this.refuseUnlessLinking();
    return this.beginAs(request, 'linking', account.user.id);
  }

  /** Somebody comes back from a provider. It never throws: whatever happens, they are led to the application. */
  async finish(answer: URLSearchParams, browser: ReturningBrowser, device: Device): Promise<ReturnEnd> {
    let place = { target: this.settings.siteUrl, isPkce: false };
    try {
      const { flowId, beginning } = this.readState(answer.get('state') ?? '');
      const began = await referrerOf(this.accounts, flowId);
      if (began !== null) place = { target: began.referrer, isPkce: began.isPkce };
      this.refuseOtherBrowser(flowId, beginning, browser);
      const flow = await takeOutwardFlow(this.accounts, flowId);
      if (flow === null) throw badState();
      if (flow.ageSeconds > this.stateSeconds) throw fault('bad_oauth_callback', { message: 'OAuth state has expired' });
      return { ...place, ...(await this.complete(flow, answer, device)) };
    } catch (error) {
      return { ...place, kind: 'failed', error };
    }
  }

  /** Signs in by an ID token that an application got itself, or links it to whoever is signed in. */
  async withIdToken(request: IdTokenSignIn, linkTo: SignedIn | null, redirectTo: string, device: Device): Promise<SessionAnswer> {
    if (linkTo !== null) this.refuseUnlessLinking();
    await this.limits.request('token', device);
    const { provider, profile, isEmailOptional } = await this.idTokens.verify(request);
    const arrival = { provider, profile, isEmailOptional, redirectTo };
    const open = await this.arrive(arrival, linkTo?.account.user.id ?? null, device, async (tx, account) => {
      await audit(tx, 'login', account.user, device, { provider });
      return this.sessions.open(tx, account, 'oauth', device);
    });
    return this.sessions.answer(open);
  }

  async unlink({ account }: SignedIn, identityId: string, device: Device): Promise<void> {
    this.refuseUnlessLinking();
    if (!uuidForm.test(identityId.toLowerCase())) throw fault('validation_failed', { status: 404, message: 'identity_id must be an UUID' });
    await this.outside.unlink(account.user.id, identityId.toLowerCase(), device);
  }

  private async beginAs(request: OutwardRequest, beginning: Beginning, linkingTargetId: string | null): Promise<Outward> {
    const provider = await this.clients.find(request.provider);
    const proof = parseChallenge(request.codeChallenge, request.codeChallengeMethod);
    const id = randomUUID();
    const url = await this.clients.authorizationUrl(provider, this.tiesOf(id, beginning), request);
    await beginOutwardFlow(this.accounts, { id, provider: provider.name, challenge: proof?.challenge ?? null, challengeMethod: proof?.method ?? null, referrer: request.redirectTo, linkingTargetId });
    if (beginning !== 'browser') return { url, cookie: null };
    const isForForm = provider.preset.kind === 'oidc' && provider.preset.isFormPost === true;
    return { url, cookie: { name: cookieName(id), value: this.derived('cookie', id), path: new URL(provider.redirectUri).pathname, isSecure: provider.redirectUri.startsWith('https:'), isForForm, maxAgeSeconds: this.stateSeconds } };
  }

  private async complete(flow: OutwardFlow, answer: URLSearchParams, device: Device) {
    if (answer.has('error')) throw new OAuthFault(clipped(answer.get('error')!, 100), clipped(answer.get('error_description') ?? '', 500));
    if ((answer.get('code') ?? '') === '') throw fault('bad_oauth_callback', { message: 'OAuth callback with missing authorization code missing' });
    const provider = await this.clients.find(flow.provider);
    const beginning: Beginning = this.readState(answer.get('state')!).beginning;
    const outcome = await this.clients.exchange(provider, answer, this.tiesOf(flow.id, beginning));
    if (outcome.profile === null) throw fault('unexpected_failure', { message: 'Error getting user profile from external provider' });
    const arrival = { provider: provider.name, profile: outcome.profile, isEmailOptional: provider.settings.isEmailOptional, redirectTo: flow.referrer };
    return flow.challenge === null ? this.toSession(flow, arrival, outcome, device) : this.toCode(flow, arrival, outcome, device);
  }

  private async toSession(flow: OutwardFlow, arrival: Arrival, { accessToken, refreshToken }: Outcome, device: Device) {
    const open = await this.arrive(arrival, flow.linkingTargetId, device, async (tx, account): Promise<OpenSession> => {
      await endFlow(tx, flow.id);
      await audit(tx, 'login', account.user, device, { provider: arrival.provider });
      return this.sessions.open(tx, account, 'oauth', device);
    });
    return { kind: 'session' as const, session: await this.sessions.answer(open), providerToken: accessToken, providerRefreshToken: refreshToken };
  }

  private async toCode(flow: OutwardFlow, arrival: Arrival, { accessToken, refreshToken }: Outcome, device: Device) {
    const code = await this.arrive(arrival, flow.linkingTargetId, device, async (tx, account) => {
      await tx.write();
      return this.flows.issueCode(tx, flow.id, { userId: account.user.id, providerAccessToken: accessToken, providerRefreshToken: refreshToken });
    });
    return { kind: 'code' as const, code };
  }

  private arrive<T>(arrival: Arrival, linkTo: string | null, device: Device, work: (tx: OpenAccounts, account: Account) => Promise<T>): Promise<T> {
    return linkTo === null ? this.outside.enter(arrival, device, work) : this.outside.link(linkTo, arrival, device, work);
  }

  private refuseUnlessLinking(): void {
    if (!this.settings.manualLinkingEnabled) throw fault('manual_linking_disabled');
  }

  /**
   * A sign-in that began in one browser must not end in another: somebody could be led into a stranger's account. What a browser
   * began it shows by its cookie, and a browser takes nothing that none began.
   */
  private refuseOtherBrowser(flowId: string, beginning: Beginning, { cookies, isNavigation }: ReturningBrowser): void {
    if (beginning === 'linking' || (beginning === 'other' && !isNavigation)) return;
    const shown = Object.hasOwn(cookies, cookieName(flowId)) ? cookies[cookieName(flowId)]! : '';
    if (beginning === 'other' || !isSame(shown, this.derived('cookie', flowId))) throw badState();
  }

  private tiesOf(flowId: string, beginning: Beginning): Ties {
    return { state: this.stateOf(flowId, beginning), nonce: this.derived('nonce', flowId), verifier: this.derived('verifier', flowId) };
  }

  private stateOf(flowId: string, beginning: Beginning): string {
    return `${flowId}.${marks[beginning]}.${this.derived(`state ${beginning}`, flowId)}`;
  }

  private readState(state: string): { readonly flowId: string; readonly beginning: Beginning } {
    if (state === '') throw fault('bad_oauth_callback', { message: 'OAuth state parameter missing' });
    const [flowId = '', mark] = state.split('.');
    const beginning = (Object.keys(marks) as Beginning[]).find((each) => marks[each] === mark);
    if (beginning === undefined || !uuidForm.test(flowId) || !isSame(state, this.stateOf(flowId, beginning))) throw badState();
    return { flowId, beginning };
  }

  private derived(what: string, flowId: string): string {
    return createHmac('sha256', this.key).update(`${what}:${flowId}`).digest('base64url');
  }

  /** Typing a password and a code at the provider takes its time. */
  private get stateSeconds(): number {
    return Math.max(this.settings.flowSeconds, 600);
  }
}

function badState() {
  return fault('bad_oauth_state', { message: 'OAuth callback with invalid state' });
}

/** One for each flow: somebody may have begun two, in two tabs. */
function cookieName(flowId: string): string {
  return `mainstay-flow-${flowId.slice(0, 8)}`;
}

function clipped(text: string, length: number): string {
  return text.replaceAll(/[\p{Cc}]/gu, ' ').slice(0, length);
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
