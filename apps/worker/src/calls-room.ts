import { NetPump, RequestSender, SigningSecrets } from '@mainstay/automation';
import type { Settings } from '@mainstay/config';
import { makeOutward, type Outward } from '@mainstay/outward';
import { makeCommandsDatabase, netChannel, type Database, type Listener } from '@mainstay/persistence';
import type { Log } from '@mainstay/queue';

/** What calls the world outside: the requests of jobs, and those that SQL wrote down by pg_net. */
export class CallsRoom {
  readonly requests: RequestSender;
  private readonly outward: Outward;
  private readonly commands: Database;
  private readonly net: NetPump;

  constructor(settings: Settings, database: Database, log: Log) {
    this.outward = makeOutward(settings);
    this.commands = makeCommandsDatabase(settings, { max: 3 });
    this.requests = new RequestSender(database, this.outward, new SigningSecrets(database, settings.secret!));
    this.net = new NetPump({ commands: this.commands, database, outward: this.outward, log, keepSeconds: settings.netKeepSeconds, mostAnswerBytes: settings.netMostAnswerBytes });
  }

  /** Is woken by requests while it sleeps. */
  hearFrom(listener: Listener): Listener {
    return listener.on({ channel: netChannel, onNotify: () => this.net.wake(), onListening: () => this.net.wake() });
  }

  start(): void {
    this.net.start();
  }

  stop(): Promise<void> {
    return this.net.stop();
  }

  async close(): Promise<void> {
    await Promise.all([this.outward.close(), this.commands.close()]);
  }
}
