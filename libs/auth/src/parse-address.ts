import { fault } from './faults.ts';

/** The form that GoTrue takes: the practical one, not the whole of RFC 5322. */
const emailForm = /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

/** Checks an e-mail address and gives it in lower case, as it is stored. @throws Fault `validation_failed` */
export function parseEmail(text: string): string {
  if (text === '') throw fault('validation_failed', { message: 'An email address is required' });
  if (text.length > 255) throw fault('validation_failed', { message: 'An email address is too long' });
  if (!emailForm.test(text)) throw fault('validation_failed', { message: 'Unable to validate email address: invalid format' });
  return text.toLowerCase();
}

/** Checks a phone number in E.164 form and gives its digits, as they are stored. @throws Fault `validation_failed` */
export function parsePhone(text: string): string {
  const digits = text.replace(/^\+/, '').replaceAll(' ', '');
  if (!/^[1-9]\d{1,14}$/.test(digits)) throw fault('validation_failed', { message: 'Invalid phone number format (E.164 required)' });
  return digits;
}

/** By what a number is written to. @throws Fault `validation_failed` */
export function parseChannel(text: string): 'sms' | 'whatsapp' {
  if (text === '' || text === 'sms') return 'sms';
  if (text === 'whatsapp') return 'whatsapp';
  throw fault('validation_failed', { message: 'Invalid channel, supported values are \'sms\' or \'whatsapp\'' });
}
