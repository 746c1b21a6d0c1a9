<?php
/*
 * Why the plugin cannot sign links at the moment: a short name that the language files explain (`pwgserve_NAME`).
 */

namespace Pwgserve;

final class Problem extends \RuntimeException
{
}
