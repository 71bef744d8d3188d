import { All, Controller, Get, Header, Redirect } from '@nestjs/common';
import { edgeFault } from './edge-faults.ts';

/** Surfaces of the protocol family that are still to come answer so that a client can tell them from a wrong address. */
@Controller()
export class NotYetHereController {
  /** A browser that opens the bare address wants the console. */
  @Get('/')
  @Redirect('/console/', 302)
  @Header('cache-control', 'no-store')
  root(): void {}

  @All(['storage/v1', 'storage/v1/*'])
  storage(): never {
    throw edgeFault('not_yet_here', { message: 'Storage (/storage/v1) is not yet here' });
  }

  @All(['realtime/v1', 'realtime/v1/*'])
  realtime(): never {
    throw edgeFault('not_yet_here', { message: 'Realtime (/realtime/v1) is not yet here' });
  }

  @All(['functions/v1', 'functions/v1/*'])
  functions(): never {
    throw edgeFault('not_yet_here', { message: 'Edge functions (/functions/v1) are not yet here' });
  }

  /** As hosted Supabase answers where GraphQL is off. */
  @All(['graphql/v1', 'graphql/v1/*'])
  graphql(): never {
    throw edgeFault('not_yet_here', { message: 'GraphQL (/graphql/v1) is not yet here', hint: 'pg_graphql is not enabled' });
  }
}
