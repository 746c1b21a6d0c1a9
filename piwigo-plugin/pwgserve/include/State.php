<?php
/*
 * What the plugin knows of the daemon: how links are written, or why none can be. Kept in Piwigo's table `config`, which
 * every page reads anyway, and asked again once a minute by one page of those that are under way.
 */

namespace Pwgserve;

final class State
{
    public const PARAM = 'pwgserve';
    private const AGAIN = 60;
    private const SECONDS = 0.5;

    /** @var array */
    private $values;

    private function __construct(array $values)
    {
        $this->values = $values;
    }

    /** The state as it is known, asked anew when it is due. $kept: the text in $conf. */
    public static function current(string $kept, Keys $keys): self
    {
        $values = json_decode($kept, true);
        $state = new self(is_array($values) ? $values : array());
        $isDue = abs(time() - $state->number('checked')) >= self::AGAIN || $state->text('key') !== $keys->linkKeyId();
        return $isDue && self::claim($kept, $state) ? self::asked($keys, self::SECONDS) : $state;
    }

    /** Ask the daemon now, and keep what it says. */
    public static function asked(Keys $keys, float $seconds): self
    {
        try {
            $daemon = new Daemon($keys);
            $values = $daemon->ask('status', array('key' => $keys->linkKeyId()), $seconds);
            $values['standing'] = $values['key'];
            $values['problem'] = $values['standing'] === 'unknown' ? 'key_unknown' : '';
        } catch (Problem $problem) {
            $values = array('problem' => $problem->getMessage());
        }
        $values['key'] = $keys->linkKeyId();
        $values['checked'] = time();
        self::keep($values);
        return new self($values);
    }

    /** Why no link can be signed; empty when all is well. */
    public function problem(): string
    {
        $problem = $this->text('problem');
        return $problem === '' && $this->text('rules') === '' ? 'not_asked' : $problem;
    }

    public function text(string $name): string
    {
        return isset($this->values[$name]) && is_scalar($this->values[$name]) ? (string) $this->values[$name] : '';
    }

    public function number(string $name): int
    {
        return (int) $this->text($name);
    }

    public function all(string $name): array
    {
        return isset($this->values[$name]) && is_array($this->values[$name]) ? $this->values[$name] : array();
    }

    /** Whether this request is the one that asks; the others go on with what is known. */
    private static function claim(string $kept, self $state): bool
    {
        $claimed = (string) json_encode(array('checked' => time()) + $state->values);
        if ($kept === '') {
            conf_update_param(self::PARAM, pwg_db_real_escape_string($claimed));
            return true;
        }
        pwg_query(
            'UPDATE ' . CONFIG_TABLE . " SET value = '" . pwg_db_real_escape_string($claimed) . "' WHERE param = '"
            . self::PARAM . "' AND value = '" . pwg_db_real_escape_string($kept) . "'"
        );
        return pwg_db_changes() > 0;
    }

    private static function keep(array $values): void
    {
        global $conf;
        $text = (string) json_encode($values);
        conf_update_param(self::PARAM, pwg_db_real_escape_string($text));
        $conf[self::PARAM] = $text;
    }
}
