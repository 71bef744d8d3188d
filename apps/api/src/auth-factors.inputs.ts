import { IsObject, IsOptional, IsString } from 'class-validator';

type JsonObject = Record<string, unknown>;

/** Bodies of second factors and passkeys; read by `readInput`, as those of `auth.inputs.ts`. */
export class EnrollInput {
  @IsString() factor_type = '';
  @IsString() friendly_name = '';
  @IsString() issuer = '';
  @IsString() phone = '';
}

export class ChallengeInput {
  @IsString() channel = '';
}

export class FactorVerifyInput {
  @IsString() challenge_id = '';
  @IsString() code = '';
  @IsOptional() @IsObject() webauthn: JsonObject | null = null;
}

export class RecoveryCodesInput {
  @IsString() friendly_name = '';
}

export class RecoveryCodeInput {
  @IsString() code = '';
}

export class PasskeyInput {
  @IsString() challenge_id = '';
  @IsOptional() @IsObject() credential: JsonObject | null = null;
  /** Its name in earlier servers. */
  @IsOptional() @IsObject() credential_response: JsonObject | null = null;
}

export class PasskeyNameInput {
  @IsString() friendly_name = '';
}

export class AdminFactorInput {
  @IsString() friendly_name = '';
  @IsString() phone = '';
}
