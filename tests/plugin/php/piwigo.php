<?php
// A minimal stand-in for what the plugin asks of Piwigo: written for these tests, with Piwigo's names.

const PHPWG_ROOT_PATH = './';

final class StandInSizing
{
    public $ideal_size;
    public $max_crop;
    public $min_size;
}

final class StandInParams
{
    public $type;
    public $sizing;
    public $sharpen;
}

function params(string $type, array $values): StandInParams
{
    $params = new StandInParams();
    $params->type = $type;
    $params->sharpen = $values['sharpen'];
    $params->sizing = new StandInSizing();
    $params->sizing->ideal_size = $values['ideal'];
    $params->sizing->max_crop = $values['max_crop'];
    $params->sizing->min_size = $values['min_size'];
    return $params;
}
