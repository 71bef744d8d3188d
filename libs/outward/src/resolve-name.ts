import { lookup, Resolver } from 'node:dns/promises';

/** All addresses of a name. */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** Calls that come together share an answer; a name that moves is followed all the same. */
const keptMs = 1000;
const mostKept = 2000;
/** The system's own look-up sits on one of Node's four threads until it has its answer; the others are for files and passwords. */
const systemAtOnce = 2;

/**
 * Resolves names: what the internet knows by name servers, without a thread, so that one name server that does not answer
 * delays nobody else; what they do not know (the hosts file, a container's neighbours) by the system.
 */
export class NameResolver {
  private readonly servers = new Resolver({ timeout: 2000, tries: 2 });
  private readonly kept = new Map<string, { readonly at: number; readonly addresses: Promise<readonly string[]> }>();
  private systemRunning = 0;
  private readonly systemWaiting: (() => void)[] = [];

  /** @throws Error of Node's, with a code such as ENOTFOUND */
  resolve(name: string): Promise<readonly string[]> {
    const now = performance.now();
    const known = this.kept.get(name);
    if (known !== undefined && now - known.at < keptMs) return known.addresses;
    if (this.kept.size >= mostKept) this.kept.clear();
    const addresses = this.ask(name);
    addresses.catch(() => {});
    this.kept.set(name, { at: now, addresses });
    return addresses;
  }

  private async ask(name: string): Promise<readonly string[]> {
    const [four, six] = await Promise.allSettled([this.servers.resolve4(name), this.servers.resolve6(name)]);
    const found = [four, six].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    return found.length > 0 ? found : this.askSystem(name);
  }

  private async askSystem(name: string): Promise<readonly string[]> {
    if (this.systemRunning >= systemAtOnce) await new Promise<void>((resolve) => this.systemWaiting.push(resolve));
    else this.systemRunning += 1;
    try {
      const found = await lookup(name, { all: true });
      return found.map(({ address }) => address);
    } finally {
      // The place goes to whoever waits longest.
      const next = this.systemWaiting.shift();
      if (next === undefined) this.systemRunning -= 1;
      else next();
    }
  }
}
