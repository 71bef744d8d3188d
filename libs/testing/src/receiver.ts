import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came in. */
export interface Received {
  readonly at: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Answer = (received: Received, response: ServerResponse) => unknown;

/** A receiver of webhooks, for specs: keeps what comes and answers as it is told. */
export class Receiver {
  readonly received: Received[] = [];
  answer: Answer = (_, response) => response.end('thank you');
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => void this.take(request, response));
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook`;
  }

  /** What each body tells, in the order of arrival. */
  get events(): { type: string; timestamp: string; data: Record<string, unknown> }[] {
    return this.received.map(({ body }) => JSON.parse(body) as { type: string; timestamp: string; data: Record<string, unknown> });
  }

  forget(): void {
    this.received.length = 0;
    this.answer = (_, response) => response.end('thank you');
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    request.setEncoding('utf8');
    for await (const text of request) body += String(text);
    const received = { at: performance.now(), path: request.url ?? '', headers: request.headers as Record<string, string>, body };
    this.received.push(received);
    await this.answer(received, response);
  }
}
