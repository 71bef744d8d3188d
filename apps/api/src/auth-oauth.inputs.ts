import { IsArray, IsOptional, IsString } from 'class-validator';

export class OAuthClientInput {
  @IsOptional() @IsString() client_name: string | null = null;
  @IsOptional() @IsString() client_uri: string | null = null;
  @IsOptional() @IsString() logo_uri: string | null = null;
  @IsOptional() @IsArray() redirect_uris: unknown[] | null = null;
  @IsOptional() @IsArray() grant_types: unknown[] | null = null;
  @IsOptional() @IsString() client_type: string | null = null;
  @IsOptional() @IsString() token_endpoint_auth_method: string | null = null;
}

export class ConsentInput {
  @IsString() action = '';
}

export class OAuthTokenInput {
  @IsString() grant_type = '';
  @IsString() code = '';
  @IsString() redirect_uri = '';
  @IsString() code_verifier = '';
  @IsString() refresh_token = '';
  @IsString() resource = '';
  @IsString() client_id = '';
  @IsOptional() @IsString() client_secret: string | null = null;
}
