-- What 0004 replaced, and nothing calls any more. No release has had a function that did.

DROP FUNCTION add_images_v1, arrive_v1, seal_v1, take_image_v1, take_archive_v1;
