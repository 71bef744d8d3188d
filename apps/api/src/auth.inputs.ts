import { authFault } from '@mainstay/auth';
import { IsBoolean, IsObject, IsOptional, IsString, validateSync } from 'class-validator';

type JsonObject = Record<string, unknown>;

/**
 * What the bodies of `/auth/v1` may hold. Each field's value here is what it has when it is absent or null, as the protocol
 * makes no difference; a field that does not stand here is passed over, as clients send more than we need.
 */
export class SignUpInput {
  @IsString() email = '';
  @IsString() phone = '';
  @IsString() password = '';
  @IsObject() data: JsonObject = {};
  @IsString() channel = '';
  @IsString() code_challenge = '';
  @IsString() code_challenge_method = '';
}

export class PasswordInput {
  @IsString() email = '';
  @IsString() phone = '';
  @IsString() password = '';
}

export class RefreshInput {
  @IsString() refresh_token = '';
}

export class UserInput {
  @IsString() email = '';
  @IsString() phone = '';
  @IsOptional() @IsString() password: string | null = null;
  @IsOptional() @IsObject() data: JsonObject | null = null;
  @IsOptional() @IsObject() app_metadata: JsonObject | null = null;
  @IsString() nonce = '';
  @IsOptional() @IsString() current_password: string | null = null;
  @IsString() channel = '';
  @IsString() code_challenge = '';
  @IsString() code_challenge_method = '';
}

export class AdminUserInput {
  @IsString() id = '';
  @IsString() aud = '';
  @IsString() role = '';
  @IsString() email = '';
  @IsString() phone = '';
  @IsOptional() @IsString() password: string | null = null;
  @IsString() password_hash = '';
  @IsBoolean() email_confirm = false;
  @IsBoolean() phone_confirm = false;
  @IsOptional() @IsObject() user_metadata: JsonObject | null = null;
  @IsOptional() @IsObject() app_metadata: JsonObject | null = null;
  @IsString() ban_duration = '';
}

export class DeleteUserInput {
  @IsBoolean() should_soft_delete = false;
}

/**
 * Reads a body as one of the above. Field by field, and only those that the class names: a body is a stranger's object, and
 * assigning all of it would let its `__proto__` decide what it is checked against.
 * @throws Fault `bad_json`
 */
export function readInput<T extends object>(Input: new () => T, body: unknown): T {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw authFault('bad_json', { message: `Could not parse request body as JSON: a JSON object is expected, not ${body === undefined ? 'an empty body' : nameOf(body)}` });
  }
  const input = new Input();
  for (const name of Object.keys(input) as (keyof T & string)[]) {
    const value = Object.hasOwn(body, name) ? (body as JsonObject)[name] : null;
    if (value !== null && value !== undefined) input[name] = value as T[typeof name];
  }
  const errors = validateSync(input);
  // GoTrue reads a body into types, so a field of another type is to it no JSON that it can read.
  if (errors.length > 0) throw authFault('bad_json', { message: `Could not parse request body as JSON: ${errors.flatMap(({ constraints }) => Object.values(constraints ?? {})).join('; ')}` });
  return input;
}

function nameOf(value: unknown): string {
  return Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`;
}

/** The page that a list asks for. @throws Fault `validation_failed` */
export function readPage(query: { readonly page?: unknown; readonly per_page?: unknown }): { page: number; perPage: number } {
  const page = readCount('page', query.page, 1);
  const perPage = readCount('per_page', query.per_page, 50);
  if (perPage === 0) throw authFault('validation_failed', { message: 'Bad Pagination Parameters: per_page must be greater than 0' });
  return { page: Math.max(page, 1), perPage };
}

function readCount(name: string, value: unknown, otherwise: number): number {
  if (value === undefined || value === '') return otherwise;
  if (typeof value !== 'string' || !/^\d{1,12}$/.test(value)) throw authFault('validation_failed', { message: `Bad Pagination Parameters: ${name} must be a whole number, not "${String(value)}"` });
  return Number(value);
}
