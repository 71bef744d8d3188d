import type { LoggerService } from '@nestjs/common';
import { pino, stdTimeFunctions, type Logger } from 'pino';

/** One JSON object per line on stdout: the event's name, ids and durations; never a payload, a token or a password. */
export function makeLog(level: string): Logger {
  return pino({ level, messageKey: 'event', base: { process: 'worker', pid: process.pid }, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } });
}

/** What Nest itself has to say, in the same shape. */
export class NestLog implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: string): void {
    this.logger.debug({ context, message }, 'nest');
  }

  warn(message: unknown, context?: string): void {
    this.logger.warn({ context, message }, 'nest');
  }

  error(message: unknown, ...more: unknown[]): void {
    this.logger.error({ message, more }, 'nest');
  }
}
