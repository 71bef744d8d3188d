import { IsBoolean, IsObject, IsString } from 'class-validator';

type JsonObject = Record<string, unknown>;

/** Bodies of codes and links; read by `readInput`, as those of `auth.inputs.ts`. */
export class OtpInput {
  @IsString() email = '';
  @IsString() phone = '';
  @IsBoolean() create_user = true;
  @IsObject() data: JsonObject = {};
  @IsString() channel = '';
  @IsString() code_challenge = '';
  @IsString() code_challenge_method = '';
}

export class RecoverInput {
  @IsString() email = '';
  @IsString() code_challenge = '';
  @IsString() code_challenge_method = '';
}

export class ResendInput {
  @IsString() type = '';
  @IsString() email = '';
  @IsString() phone = '';
  @IsString() code_challenge = '';
  @IsString() code_challenge_method = '';
}

export class VerifyInput {
  @IsString() type = '';
  @IsString() token = '';
  @IsString() token_hash = '';
  @IsString() email = '';
  @IsString() phone = '';
  @IsString() redirect_to = '';
}

export class CodeInput {
  @IsString() auth_code = '';
  @IsString() code_verifier = '';
}

export class InviteInput {
  @IsString() email = '';
  @IsObject() data: JsonObject = {};
}

export class LinkInput {
  @IsString() type = '';
  @IsString() email = '';
  @IsString() new_email = '';
  @IsString() password = '';
  @IsObject() data: JsonObject = {};
  @IsString() redirect_to = '';
}
