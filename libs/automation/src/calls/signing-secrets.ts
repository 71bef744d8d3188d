import { makeWebhookSecret } from '@mainstay/outward';
import { addSigningSecret, asWorker, listSigningSecrets, lockSigningSecrets, Sealing, type Database, type KeptSecret, type Session, type Transaction } from '@mainstay/persistence';

/** A secret as whoever holds the service key reads it. */
export interface ShownSecret {
  readonly id: string;
  /** Null where MAINSTAY_SECRET is another by now. */
  readonly secret: string | null;
  readonly created_at: string;
  readonly expires_at: string | null;
}

const purpose = 'mainstay signing secrets';
const keptMs = 10_000;

/** The project's secrets by which receivers know its requests: the newest signs, and beside it those that it has replaced lately. */
export class SigningSecrets {
  private readonly sealing: Sealing;
  private kept: { readonly at: number; readonly secrets: Promise<readonly string[]> } | null = null;

  constructor(
    private readonly database: Database,
    secret: string,
  ) {
    this.sealing = new Sealing(secret, purpose);
  }

  /** Those that sign now, for the worker; the first call makes the first secret. */
  current(): Promise<readonly string[]> {
    const now = performance.now();
    if (this.kept !== null && now - this.kept.at < keptMs) return this.kept.secrets;
    const secrets = this.list(asWorker).then((shown) => shown.flatMap(({ secret }) => secret ?? []));
    secrets.catch(() => (this.kept = null));
    this.kept = { at: now, secrets };
    return secrets;
  }

  /** The first call makes the first secret; so does the first after MAINSTAY_SECRET was changed, since none can be opened then. */
  async list(session: Session): Promise<ShownSecret[]> {
    return this.database.transaction(session, async (tx) => {
      const known = await this.shown(tx);
      if (known.some(isCurrent)) return known;
      await lockSigningSecrets(tx);
      if (!(await this.shown(tx)).some(isCurrent)) await this.add(tx, 0);
      return this.shown(tx);
    });
  }

  /** Makes a new secret; the others sign beside it for as long as it takes to tell every receiver. */
  async rotate(session: Session, overlapSeconds: number): Promise<ShownSecret[]> {
    return this.database.transaction(session, async (tx) => {
      await lockSigningSecrets(tx);
      await this.add(tx, overlapSeconds);
      return this.shown(tx);
    });
  }

  private async add(tx: Transaction, overlapSeconds: number): Promise<void> {
    const [made] = await tx.rows<{ id: string }>('select mainstay_internal.uuid_v7() as id');
    const { id } = made!;
    await addSigningSecret(tx, id, this.sealing.seal(id, makeWebhookSecret()), overlapSeconds);
  }

  private async shown(tx: Transaction): Promise<ShownSecret[]> {
    return (await listSigningSecrets(tx)).map((one) => this.show(one));
  }

  private show({ id, sealed, created_at: created, expires_at: until }: KeptSecret): ShownSecret {
    return { id, secret: this.sealing.open(id, sealed), created_at: created.toISOString(), expires_at: until?.toISOString() ?? null };
  }
}

function isCurrent({ secret, expires_at: until }: ShownSecret): boolean {
  return secret !== null && until === null;
}
