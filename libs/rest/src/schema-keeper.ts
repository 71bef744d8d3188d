import { fault, makeSchemaCache, type RestOptions, type SchemaCache } from '@mainstay/dialect';
import type { Database, Listener } from '@mainstay/persistence';
import { readCatalogue, readLoginSettings } from './introspect.ts';
import { optionsOf, type RestTerms, type TermsSource } from './rest-terms.ts';

/** What the health page tells. */
export interface SchemaState {
  readonly state: 'ok' | 'down';
  readonly note: string | null;
}

/** The schema cache with the options it was made for. Both are replaced together, so no request sees half of a change. */
export interface Known {
  readonly cache: SchemaCache;
  readonly options: RestOptions;
  /** Counts the loads: what was planned for another version is planned anew. */
  readonly version: number;
}

/** Migrations tell of each statement; a burst of them is one reload. */
const settleMs = 50;
const firstPauseMs = 200;
const longestPauseMs = 5000;

/**
 * Keeps what is known of the database's shape. Told of changes by NOTIFY on `pgrst`, it reads the catalogue again; when the
 * telling may have been missed, it does so as well. A reload that fails leaves the old knowledge in place and is tried again.
 */
export class SchemaKeeper {
  private known: Known | null = null;
  private lastError: unknown = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private dueAt = 0;
  private loading: Promise<void> | null = null;
  private isStale = false;
  private pauseMs = firstPauseMs;
  private isClosed = false;
  private loads = 0;
  private failures = 0;
  private loadSeconds = 0;
  private readonly listener: Listener | null;
  private readonly source: TermsSource;

  /** Without a listener nothing is told, and what was loaded at the start holds. Plain terms hold for ever. */
  constructor(
    private readonly database: Database,
    listener: Listener | null,
    source: TermsSource | RestTerms,
    private readonly onError: (error: unknown) => void = () => {},
  ) {
    this.source = 'termsOf' in source ? source : { preConfig: undefined, channel: 'pgrst', termsOf: () => source };
    // Any payload reloads: the protocol's are `reload schema`, `reload config` and none.
    this.listener = listener?.on({ channel: this.source.channel, onNotify: () => this.reloadSoon(settleMs), onListening: () => this.reloadSoon(0) }) ?? null;
  }

  /** Begins to listen, and waits for the first load or its failure. */
  async start(): Promise<void> {
    await this.listener?.start();
    await this.reload();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.listener?.close();
    await this.loading;
  }

  /** What is known now. @throws Fault PGRST002 before the first load. */
  current(): Known {
    if (this.known === null) throw fault('PGRST002', { headers: { 'Retry-After': '1' } });
    return this.known;
  }

  state(): SchemaState {
    if (this.known === null) return { state: 'down', note: 'The schema cache is not loaded yet' };
    return { state: 'ok', note: this.lastError === null ? null : 'The last reload failed; the schema cache may be old' };
  }

  /** How often the schema was read, with what luck, how long the last time took, and how much there is. */
  figures(): { readonly loads: number; readonly failures: number; readonly loadSeconds: number; readonly collections: number } {
    return { loads: this.loads, failures: this.failures, loadSeconds: this.loadSeconds, collections: this.known?.cache.collections.size ?? 0 };
  }

  /** Reads the catalogue now. Asked for while a load is on its way, it loads once more afterwards: that load may have begun too early. */
  async reload(): Promise<void> {
    if (this.loading !== null) {
      this.isStale = true;
      return this.loading;
    }
    this.loading = this.loadUntilFresh().finally(() => {
      this.loading = null;
    });
    return this.loading;
  }

  private async loadUntilFresh(): Promise<void> {
    do {
      this.isStale = false;
      await this.load();
    } while (this.isStale && this.lastError === null && !this.isClosed);
  }

  private async load(): Promise<void> {
    const began = performance.now();
    try {
      const { preConfig, termsOf } = this.source;
      const options = optionsOf(termsOf(preConfig === undefined ? {} : await readLoginSettings(this.database, preConfig)));
      const catalogue = await readCatalogue(this.database, options);
      this.known = { cache: makeSchemaCache(catalogue, options.schemas), options, version: (this.known?.version ?? 0) + 1 };
      this.lastError = null;
      this.pauseMs = firstPauseMs;
      this.loads += 1;
      this.loadSeconds = (performance.now() - began) / 1000;
    } catch (error) {
      this.failures += 1;
      this.lastError = error;
      this.onError(error);
      this.reloadSoon(this.pauseMs);
      this.pauseMs = Math.min(this.pauseMs * 2, longestPauseMs);
    }
  }

  /** A reload that is due sooner stays due: an endless stream of changes must not put it off for ever. */
  private reloadSoon(afterMs: number): void {
    const dueAt = performance.now() + afterMs;
    if (this.isClosed || (this.timer !== undefined && this.dueAt <= dueAt)) return;
    clearTimeout(this.timer);
    this.dueAt = dueAt;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.reload();
    }, afterMs);
    this.timer.unref();
  }
}
