import { IsArray, IsBoolean, IsObject, IsOptional, IsString } from 'class-validator';

/** A provider that the administration sets up; read by `readInput`. */
export class CustomProviderInput {
  @IsString() provider_type = '';
  @IsString() identifier = '';
  @IsString() name = '';
  @IsString() client_id = '';
  @IsString() client_secret = '';
  @IsOptional() @IsArray() @IsString({ each: true }) acceptable_client_ids: string[] | null = null;
  @IsOptional() @IsArray() @IsString({ each: true }) scopes: string[] | null = null;
  @IsOptional() @IsArray() @IsString({ each: true }) custom_claims_allowlist: string[] | null = null;
  @IsOptional() @IsBoolean() pkce_enabled: boolean | null = null;
  @IsOptional() @IsObject() attribute_mapping: Record<string, unknown> | null = null;
  @IsOptional() @IsObject() authorization_params: Record<string, unknown> | null = null;
  @IsOptional() @IsBoolean() enabled: boolean | null = null;
  @IsOptional() @IsBoolean() email_optional: boolean | null = null;
  @IsString() issuer = '';
  @IsString() discovery_url = '';
  @IsOptional() @IsBoolean() skip_nonce_check: boolean | null = null;
  @IsString() authorization_url = '';
  @IsString() token_url = '';
  @IsString() userinfo_url = '';
  @IsString() jwks_uri = '';
}
