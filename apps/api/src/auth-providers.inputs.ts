import { IsBoolean, IsString } from 'class-validator';

export class IdTokenInput {
  @IsString() provider = '';
  @IsString() id_token = '';
  @IsString() access_token = '';
  @IsString() nonce = '';
  @IsString() issuer = '';
  @IsString() client_id = '';
  @IsBoolean() link_identity = false;
}
