import { randomUUID } from 'node:crypto';
import type { Transaction } from './statement.ts';

/** A sign-in that was sent to another provider and is to come back. */
export interface OutwardFlow {
  readonly id: string;
  readonly provider: string;
  /** What the application will prove itself by; null in the implicit flow. */
  readonly challenge: string | null;
  readonly challengeMethod: 's256' | 'plain' | null;
  /** Where the application wants its user back. */
  readonly referrer: string;
  /** The account that gets another way of signing in; null where somebody signs in. */
  readonly linkingTargetId: string | null;
  readonly ageSeconds: number;
}

type Runner = Pick<Transaction, 'rows'>;

/** Writes the flow with the state that is good for one return. */
export async function beginOutwardFlow(tx: Runner, flow: Omit<OutwardFlow, 'ageSeconds'>): Promise<void> {
  await tx.rows(
    `with state as (
       insert into auth.oauth_client_states (id, provider_type, created_at) values ($7::uuid, $2, clock_timestamp()) returning id
     )
     insert into auth.flow_state (id, provider_type, code_challenge, code_challenge_method, referrer, linking_target_id, oauth_client_state_id, authentication_method, created_at, updated_at)
     select $1::uuid, $2, $3, $4::auth.code_challenge_method, $5, $6::uuid, id, 'oauth', clock_timestamp(), clock_timestamp() from state`,
    [flow.id, flow.provider, flow.challenge, flow.challengeMethod, flow.referrer, flow.linkingTargetId, randomUUID()],
  );
}

/** Takes the state of a flow: of any number of returns at once only one gets it. Null where it was never given out, or is used up. */
export async function takeOutwardFlow(tx: Runner, id: string): Promise<OutwardFlow | null> {
  const [flow] = await tx.rows<OutwardFlow>(
    `delete from auth.oauth_client_states s using auth.flow_state f where f.id = $1::uuid and s.id = f.oauth_client_state_id
     returning f.id, f.provider_type as provider, f.code_challenge as challenge, f.code_challenge_method as "challengeMethod", f.referrer, f.linking_target_id as "linkingTargetId",
       extract(epoch from clock_timestamp() - f.created_at)::float8 as "ageSeconds"`,
    [id],
  );
  return flow ?? null;
}

/** Where a flow leads back to, to say there that it came to nothing. */
export async function referrerOf(tx: Runner, id: string): Promise<{ readonly referrer: string; readonly isPkce: boolean } | null> {
  const [flow] = await tx.rows<{ referrer: string; isPkce: boolean }>('select referrer, code_challenge is not null as "isPkce" from auth.flow_state where id = $1::uuid and referrer is not null', [id]);
  return flow ?? null;
}
