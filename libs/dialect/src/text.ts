import { fault, type RestFaultCode } from './faults.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** Decodes bytes that must be UTF-8. @throws Fault of the given code. */
export function decodeUtf8(bytes: Uint8Array, code: RestFaultCode, what: string): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw fault(code, { message: `${what} is not valid UTF-8`, cause: error });
  }
}

/**
 * PostgreSQL holds no NUL in a text. Cutting it away would find, or write, something that nobody asked for.
 * @throws Fault of the given code.
 */
export function refuseNul(text: string, code: RestFaultCode, what: string): string {
  if (text.includes('\0')) throw fault(code, { message: `${what} has a NUL character, which PostgreSQL cannot hold` });
  return text;
}
