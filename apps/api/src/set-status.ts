import type { FastifyReply } from 'fastify';

/** SQL may choose any status of three digits; Fastify knows none above 599. */
export function setStatus(reply: FastifyReply, status: number): FastifyReply {
  if (status <= 599) return reply.status(status);
  reply.raw.statusCode = status;
  return reply;
}
