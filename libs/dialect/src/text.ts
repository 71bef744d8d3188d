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

/** The text of a header: its bytes come as Latin-1 and mean UTF-8. What is no UTF-8 stays as it came. */
export function utf8OfLatin1(text: string): string {
  if (!/^[\x00-\xff]*[\x80-\xff][\x00-\xff]*$/.test(text)) return text;
  try {
    return utf8.decode(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  } catch {
    // An older client's Latin-1, or nonsense: no schema is called so.
    return text;
  }
}

/** UTF-8 bytes as the Latin-1 text that a header takes. */
export function latin1OfUtf8(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : String.fromCharCode(...new TextEncoder().encode(text));
}
