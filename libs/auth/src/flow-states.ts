import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { beginFlow, endFlow, keepFlowCode, lockFlowByCode, lockNewestFlow, type FlowState, type OpenAccounts } from '@mainstay/persistence';
import { fault } from './faults.ts';

/** What a client says of the proof that it will bring (PKCE). */
export interface CodeChallenge {
  readonly challenge: string;
  readonly method: 's256' | 'plain';
}

/**
 * Reads what a request says of its proof; null where it says nothing (the implicit flow).
 * @throws Fault `validation_failed`
 */
export function parseChallenge(challenge: string | null | undefined, method: string | null | undefined): CodeChallenge | null {
  const [given, way] = [challenge ?? '', method ?? ''];
  if (given === '' && way === '') return null;
  if (given === '' || way === '') throw fault('validation_failed', { message: 'PKCE flow requires code_challenge_method and code_challenge' });
  if (given.length < 43 || given.length > 128) throw fault('validation_failed', { message: 'code challenge has to be between 43 and 128 characters' });
  if (!/^[A-Za-z0-9\-._~]+$/.test(given)) throw fault('validation_failed', { message: 'code challenge can only contain alphanumeric characters, hyphens, periods, underscores and tildes' });
  const lower = way.toLowerCase();
  if (lower !== 's256' && lower !== 'plain') throw fault('validation_failed', { message: `unsupported code_challenge method "${way}"` });
  return { challenge: given, method: lower };
}

/** Sign-ins that begin and end in different places: between the two lies a code, good for one client, once, for minutes. */
export class FlowStates {
  constructor(private readonly settings: Pick<Settings, 'flowSeconds'>) {}

  /** Begins the flow of a mailed link. */
  async begin(tx: OpenAccounts, userId: string, proof: CodeChallenge, providerType: string, authenticationMethod: string): Promise<string> {
    return beginFlow(tx, { userId, challenge: proof.challenge, challengeMethod: proof.method, providerType, authenticationMethod });
  }

  /**
   * The code for whoever began the newest flow of this kind; its five minutes begin now.
   * @throws Fault `flow_state_not_found`
   */
  async issueCodeFor(tx: OpenAccounts, userId: string, authenticationMethod: string): Promise<string> {
    const flow = await lockNewestFlow(tx, userId, authenticationMethod);
    if (flow === null) throw fault('flow_state_not_found', { message: 'invalid flow state, no valid flow state found' });
    return this.issueCode(tx, flow.id, { userId });
  }

  /** The code of a flow that came to its end with this user. */
  async issueCode(tx: OpenAccounts, flowId: string, known: { readonly userId: string; readonly providerAccessToken?: string | null; readonly providerRefreshToken?: string | null }): Promise<string> {
    const code = randomUUID();
    const { userId, providerAccessToken = null, providerRefreshToken = null } = known;
    await keepFlowCode(tx, flowId, digestOf(code), { userId, providerAccessToken: sealed(code, providerAccessToken), providerRefreshToken: sealed(code, providerRefreshToken) });
    return code;
  }

  /**
   * Takes a code and its proof, and ends the flow: a second time there is nothing.
   * @throws Fault as GoTrue words each of these
   */
  async redeem(tx: OpenAccounts, code: string, verifier: string): Promise<FlowState & { readonly userId: string }> {
    if (code === '' || verifier === '') throw fault('validation_failed', { message: 'invalid request: both auth code and code verifier should be non-empty' });
    const flow = await lockFlowByCode(tx, digestOf(code));
    if (flow === null || flow.userId === null) throw fault('flow_state_not_found', { message: 'invalid flow state, no valid flow state found' });
    if ((flow.codeAgeSeconds ?? Infinity) > this.settings.flowSeconds) throw fault('flow_state_expired');
    if (!isProof(flow, verifier)) throw fault('bad_code_verifier');
    await endFlow(tx, flow.id);
    return { ...flow, userId: flow.userId, providerAccessToken: opened(code, flow.providerAccessToken), providerRefreshToken: opened(code, flow.providerRefreshToken) };
  }
}

/** @returns whether the verifier is what the challenge was made of */
function isProof({ challenge, challengeMethod }: FlowState, verifier: string): boolean {
  if (challenge === null || challenge === '') return false;
  const shown = challengeMethod === 's256' ? createHash('sha256').update(verifier).digest('base64url') : verifier;
  const [a, b] = [createHash('sha256').update(shown).digest(), createHash('sha256').update(challenge).digest()];
  return timingSafeEqual(a, b);
}

function digestOf(code: string): string {
  return createHash('sha256').update(code).digest('hex');
}

/** A provider's tokens wait for whoever brings the code, and only the code opens them: the database keeps its digest alone. */
function sealed(code: string, token: string | null): string | null {
  if (token === null) return null;
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(code), iv);
  return Buffer.concat([iv, cipher.update(token, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

function opened(code: string, text: string | null): string | null {
  if (text === null) return null;
  const bytes = Buffer.from(text, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', keyOf(code), bytes.subarray(0, 12)).setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8');
}

function keyOf(code: string): Buffer {
  return Buffer.from(hkdfSync('sha256', code, '', 'mainstay provider tokens', 32));
}
