import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it is sent. */
export interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: { key: string; value: Record<string, unknown> }[];
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { code?: number };
  /** The service that sent it. */
  readonly service: string;
}

interface Sent {
  readonly resourceSpans: readonly { resource: { attributes: readonly { key: string; value: { stringValue: string } }[] }; scopeSpans: readonly { spans: readonly Omit<SentSpan, 'service'>[] }[] }[];
}

/** A collector of OpenTelemetry, as far as it is needed: it keeps what it is sent. */
export class OtlpReceiver {
  readonly spans: SentSpan[] = [];
  /** Headers and path of each request. */
  readonly requests: Record<string, unknown>[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OtlpReceiver> {
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => {
        receiver.requests.push({ ...request.headers, path: request.url });
        receiver.take(JSON.parse(text) as Sent);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    const receiver = new OtlpReceiver(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The first span of this name. */
  named(name: string): SentSpan {
    const found = this.spans.find((span) => span.name === name);
    if (found === undefined) throw new Error(`no span "${name}" among ${this.spans.map((span) => span.name).join(', ')}`);
    return found;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private take({ resourceSpans }: Sent): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === 'service.name')!.value.stringValue;
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => ({ ...span, service })));
    }
  }
}
