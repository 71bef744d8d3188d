import { randomUUID } from 'node:crypto';
import type { Transaction } from './statement.ts';

/** A sign-in that began in one place and ends in another, with proof that both are the same client (PKCE). */
export interface FlowState {
  readonly id: string;
  readonly userId: string | null;
  readonly challenge: string | null;
  readonly challengeMethod: 's256' | 'plain' | null;
  /** By what: `email`, `magiclink`, or the name of an outside provider. */
  readonly providerType: string;
  /** What `amr` will say. */
  readonly authenticationMethod: string;
  readonly providerAccessToken: string | null;
  readonly providerRefreshToken: string | null;
  /** Since it began. */
  readonly ageSeconds: number;
  /** Since its code was given out; null where none was. */
  readonly codeAgeSeconds: number | null;
}

export type FlowDraft = Pick<FlowState, 'userId' | 'challenge' | 'challengeMethod' | 'providerType' | 'authenticationMethod'>;

type Runner = Pick<Transaction, 'rows'>;

const columns = `id, user_id as "userId", code_challenge as challenge, code_challenge_method as "challengeMethod", provider_type as "providerType",
  authentication_method as "authenticationMethod", provider_access_token as "providerAccessToken", provider_refresh_token as "providerRefreshToken",
  extract(epoch from clock_timestamp() - created_at)::float8 as "ageSeconds", extract(epoch from clock_timestamp() - auth_code_issued_at)::float8 as "codeAgeSeconds"`;

/** Begins a flow; gives its id. */
export async function beginFlow(tx: Runner, draft: FlowDraft): Promise<string> {
  const id = randomUUID();
  await tx.rows(
    `insert into auth.flow_state (id, user_id, code_challenge_method, code_challenge, provider_type, authentication_method, created_at, updated_at)
     values ($1::uuid, $2::uuid, $3::auth.code_challenge_method, $4, $5, $6, clock_timestamp(), clock_timestamp())`,
    [id, draft.userId, draft.challengeMethod, draft.challenge, draft.providerType, draft.authenticationMethod],
  );
  return id;
}

/** A flow by its id, locked until the transaction ends. */
export async function lockFlow(tx: Runner, id: string): Promise<FlowState | null> {
  const [flow] = await tx.rows<FlowState>(`select ${columns} from auth.flow_state where id = $1::uuid for update`, [id]);
  return flow ?? null;
}

/** The newest flow that a user began by this method and has no code yet. */
export async function lockNewestFlow(tx: Runner, userId: string, authenticationMethod: string): Promise<FlowState | null> {
  const [flow] = await tx.rows<FlowState>(
    `select ${columns} from auth.flow_state where user_id = $1::uuid and authentication_method = $2 and auth_code is null order by created_at desc limit 1 for update`,
    [userId, authenticationMethod],
  );
  return flow ?? null;
}

/** Gives a flow its code, of which only the digest is kept, and what else is known by now. */
export async function keepFlowCode(tx: Runner, id: string, codeDigest: string, known: { readonly userId: string; readonly providerAccessToken?: string | null; readonly providerRefreshToken?: string | null }): Promise<void> {
  await tx.rows(
    `update auth.flow_state set auth_code = $2, auth_code_issued_at = clock_timestamp(), updated_at = clock_timestamp(), user_id = $3::uuid, provider_access_token = $4, provider_refresh_token = $5
     where id = $1::uuid`,
    [id, codeDigest, known.userId, known.providerAccessToken ?? null, known.providerRefreshToken ?? null],
  );
}

/** The flow whose code has this digest, locked until the transaction ends. */
export async function lockFlowByCode(tx: Runner, codeDigest: string): Promise<FlowState | null> {
  const [flow] = await tx.rows<FlowState>(`select ${columns} from auth.flow_state where auth_code = $1 for update`, [codeDigest]);
  return flow ?? null;
}

export async function endFlow(tx: Runner, id: string): Promise<void> {
  await tx.rows('delete from auth.flow_state where id = $1::uuid', [id]);
}
